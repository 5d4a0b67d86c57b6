import { act } from '../../hosts/act.ts'
import { SERVICE_USER, checkVersion, explainHelper } from '../../hosts/drover-host/drover-host.ts'
import { unitHeader, unitPrefix } from '../../hosts/drover-host/units.ts'
import type { Host } from '../../hosts/host.ts'
import { Refusal, problem, refusal } from '../../problem/problem.ts'
import type { Problem } from '../../problem/problem.ts'
import type { SystemdPlace } from './place.ts'
import { scriptArgv, scriptOperation } from './scripts.ts'

const PROGRAMS = ['flock', 'awk', 'perl', 'systemctl', 'journalctl']

/** The first version with everything that the units say: Debian 11 and Ubuntu 22.04 have it. */
const OLDEST_SYSTEMD = 247

/** Where a unit's own view of the files has something else, or nothing. */
const HIDDEN = /^\/(home|root|run\/user|tmp|var\/tmp|dev|proc|sys)(\/|$)/

/**
 * Refuses with everything that the host lacks to run slots. Changes nothing, but that units which lie there and would not
 * come back after a reboot do so again.
 */
export async function prepareSystemd(place: SystemdPlace, number: number): Promise<void> {
  const { host, root } = place
  const argv = scriptArgv('prepare', [SERVICE_USER, PROGRAMS.join(' '), unitPrefix(place), unitHeader(place)])
  const outcome = await host.run({ program: 'sh', argv, env: { LC_ALL: 'C' }, summary: 'look for systemd' })
  const problems = [...outcome.stdout.split('\n').flatMap((line) => problemOf(host, line)), ...hiddenRoot(host, root)]
  if (problems.length > 0) throw new Refusal(problems)
  if (outcome.failure !== undefined && outcome.failure !== 'exit') {
    throw refusal('runtimes/prepare', `host ${host.name}`, `cannot look for programs: ${outcome.stderr.trim()}`)
  }
  checkVersion(host.name, outcome)
  if (/^unbooted /m.test(outcome.stdout)) await enable(place, number)
}

async function enable({ host, root, fleet, environment }: SystemdPlace, number: number): Promise<void> {
  const operations = [scriptOperation('enable', [fleet, environment])]
  await act(host, { root, number }, operations, { label: 'enable units' }).catch((error: unknown) => {
    throw explainHelper(host.name, error)
  })
}

function problemOf(host: Host, line: string): Problem[] {
  const at = `host ${host.name}`
  const bootstrap = `Run: drover hosts bootstrap ${host.name}`
  const [word, what = ''] = line.split(' ')
  switch (word) {
    case 'missing':
      return [problem('runtimes/missing-program', at, `${what} is missing, the runtime systemd needs it`, bootstrap)]
    case 'no-systemd': {
      const hint = 'Choose another runtime for this environment in drover.yaml, such as pm2.'
      return [problem('runtimes/no-systemd', at, 'systemd does not run this host', hint)]
    }
    case 'systemd': {
      if (Number(what) >= OLDEST_SYSTEMD) return []
      const text = `its systemd is of version ${what}, older than ${OLDEST_SYSTEMD}`
      return [problem('runtimes/old-systemd', at, text, 'Update the host, or choose another runtime in drover.yaml.')]
    }
    case 'no-user':
      return [problem('runtimes/no-service-user', at, `there is no user ${SERVICE_USER}`, bootstrap)]
    case 'no-journal':
      return [problem('runtimes/no-journal', at, 'the user that we are there may not read the journal', bootstrap)]
    default:
      return []
  }
}

function hiddenRoot(host: Host, root: string): Problem[] {
  if (!HIDDEN.test(root)) return []
  const what = `its root ${root} cannot be seen by services, which have no home and a /tmp of their own`
  return [problem('runtimes/hidden-root', `host ${host.name}`, what, 'Choose a root below /srv in drover.yaml.')]
}
