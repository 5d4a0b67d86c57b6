import { resolve } from 'node:path'
import { LOCAL_HOST } from '../../manifest/fleet.ts'
import type { Fleet, HostDefinition } from '../../manifest/fleet.ts'
import { Refusal } from '../../problem/problem.ts'
import { usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import { localHome } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { findManifest, findOutline } from '../manifest-file.ts'
import type { BreakGlassOptions } from '../options.ts'
import { releaseNumber } from '../target.ts'

/** Takes one host back when there is no control plane: what the host itself knows has to do. */
export async function breakGlassRollback(cli: Cli, environment: string, options: BreakGlassOptions): Promise<ExitCode> {
  const fleet = await readableFleet(cli)
  const home = localHome(cli).folder
  const host = hostNamed(options.host, fleet)
  const root = options.root ?? fleet?.environments.find(({ name }) => name === environment)?.root
  const name = options.fleet ?? fleet?.name ?? (await findOutline(cli))?.environments[0]?.fleet
  const sshConfig = cli.env['DROVER_SSH_CONFIG']
  const stop = new AbortController()
  const stopListening = cli.onInterrupt(() => stop.abort(usage('drover break-glass', 'was stopped with Ctrl-C')))
  try {
    const report = await cli.breakGlass({
      host,
      environment,
      folder: home,
      ...(name === undefined ? {} : { fleet: name }),
      ...place(host, { root, home, fleet: name, environment }),
      ...(options.to === undefined ? {} : { to: releaseNumber(options.to) }),
      ...(sshConfig ? { sshConfig: resolve(cli.cwd, sshConfig) } : {}),
      signal: stop.signal,
      say: (line) => cli.note(line),
    })
    if (cli.json) cli.document(report)
    else {
      cli.print(`host ${report.host} answers with release ${report.to} of ${environment}`)
      cli.note(
        `The control plane does not know of this, nor do other hosts. Once it is back, \`drover status ${environment}\` shows the difference, and the next release takes it away.`,
      )
    }
    return EXIT.done
  } finally {
    stopListening()
  }
}

/** A manifest that is not there or has errors must not stand in the way. */
async function readableFleet(cli: Cli): Promise<Fleet | undefined> {
  try {
    return (await findManifest(cli))?.fleet
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}

/** A host of the manifest by its name; any other word is what ssh calls it. */
function hostNamed(word: string, fleet: Fleet | undefined): HostDefinition {
  const known = fleet?.hosts.find(({ name }) => name === word)
  if (known !== undefined) return known
  return word === LOCAL_HOST.name ? LOCAL_HOST : { name: word, ssh: { destination: word }, labels: [] }
}

interface Place {
  readonly root: string | undefined
  readonly home: string
  readonly fleet: string | undefined
  readonly environment: string
}

/** This machine has what it runs in the home of its control plane, where nothing else is said. */
function place({ ssh }: HostDefinition, { root, home, fleet, environment }: Place): { root?: string } {
  if (root !== undefined) return { root }
  if (ssh !== undefined) return {}
  if (fleet === undefined) throw usage('--fleet', 'is missing: there is no drover.yaml here that names the fleet')
  return { root: resolve(home, 'hosts', fleet, environment) }
}
