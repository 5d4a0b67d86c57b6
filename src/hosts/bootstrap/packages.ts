import { cannot, same } from './item.ts'
import type { Judge, Work } from './item.ts'
import type { HostNeeds } from './needs.ts'
import type { HostState } from './state.ts'

/** A fresh server is often busy with updates of its own. */
const LOCK_SECONDS = 300
const INSTALL_MS = 15 * 60_000

/** What was cut off is finished first. The list of packages is fetched only where it is needed: it may be all that is there. */
const INSTALL = `export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
dpkg --configure -a || exit 1
set -- -y -q -o DPkg::Lock::Timeout=${LOCK_SECONDS} -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 --no-install-recommends -- "$@"
apt-get install "$@" || { apt-get update -q -o DPkg::Lock::Timeout=${LOCK_SECONDS}; apt-get install "$@"; }`

interface Package {
  readonly name: string
  readonly why: string
  readonly missing: (state: HostState, needs: HostNeeds) => boolean
}

/** Each with the program by which it is told. */
const PACKAGES: readonly Package[] = [
  { name: 'sudo', why: 'the helper is called by it', missing: ({ programs }) => !programs.has('sudo') },
  { name: 'nginx', why: 'the router is nginx', missing: ({ programs }) => !programs.has('nginx') },
  {
    name: 'python3',
    why: 'the fleet has services in Python',
    missing: ({ programs }, { python }) => python !== undefined && !programs.has('python3'),
  },
  { name: 'util-linux', why: 'files are locked by flock', missing: ({ programs }) => !programs.has('flock') },
  { name: 'tar', why: 'artifacts arrive with it', missing: ({ programs }) => !programs.has('tar') },
  { name: 'perl-base', why: 'ports are asked by it', missing: ({ programs }) => !programs.has('perl') },
]

/** Programs that are missing, by the system's own packages. */
export const packages: Judge = (needs, state): Work => {
  const missing = PACKAGES.filter((each) => each.missing(state, needs))
  if (missing.length === 0) return same('packages', 'none is missing')
  const names = missing.map(({ name }) => name)
  const item = { name: 'packages', what: names.join(', '), why: missing.map(({ why }) => why).join('; ') }
  if (!state.programs.has('apt-get')) {
    return cannot({ ...item, hint: `There is no apt-get; install ${names.join(', ')} by hand.` })
  }
  return {
    ...item,
    sign: 'add',
    operations: [{ kind: 'run', program: 'sh', argv: ['-c', INSTALL, 'install', ...names] }],
    timeoutMs: INSTALL_MS,
  }
}
