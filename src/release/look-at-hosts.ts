import { itemOf, isReady, judge } from '../hosts/bootstrap/plan.ts'
import { foldersOf } from '../hosts/bootstrap/folders.ts'
import { lookAt } from '../hosts/bootstrap/look.ts'
import { needsOf } from '../hosts/bootstrap/needs-of.ts'
import { DEFAULT_ROOT } from '../hosts/bootstrap/needs.ts'
import { versionOfHelper } from '../hosts/bootstrap/root-access.ts'
import type { HostState } from '../hosts/bootstrap/state.ts'
import type { DeclaredHost } from '../manifest/declared-hosts.ts'
import { Refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import type { HostReport, LookOptions } from './host-operations.ts'
import { lookThrough, openLogin } from './host-login.ts'
import type { HostAccess } from './host-login.ts'
import type { SupplyStore } from './host-supplies.ts'

export interface LookParts {
  readonly access: HostAccess
  readonly supplies: SupplyStore
}

/** Looks at a host without changing anything; never rejects for what the host does. */
export async function reportOn(parts: LookParts, host: DeclaredHost, options: LookOptions): Promise<HostReport> {
  try {
    return host.ssh === undefined ? await reportOnLocal(parts, host) : await reportOnRemote(parts, host, options)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const problems = error.problems.map((problem) => forwarded(problem, host, options))
    return { ...declared(host), reachable: false, problems, ready: false, items: [] }
  }
}

async function reportOnRemote(parts: LookParts, host: DeclaredHost, options: LookOptions): Promise<HostReport> {
  const login = await openLogin(parts.access, host, options.as)
  try {
    const needs = needsOf(host, { user: login.user, ...(await parts.supplies.for(host)) })
    const state = await lookThrough(login, {
      asRoot: options.asRoot === true || options.as !== undefined,
      user: login.user,
      folders: foldersOf(needs),
      ...(needs.node === undefined ? {} : { nodeVersion: needs.node.version }),
    })
    const items = judge(needs, state).map(itemOf)
    return { ...declared(host), ...seen(state), user: login.user, ready: isReady(items), items }
  } finally {
    await login.close()
  }
}

/** The machine that Drover runs on has whatever Drover itself has. */
async function reportOnLocal({ access }: LookParts, host: DeclaredHost): Promise<HostReport> {
  const state = await lookAt(access.hosts.of(host), { asRoot: false, user: 'nobody', folders: [] })
  return { ...declared(host), ...seen(state), ready: true, items: [] }
}

function declared({ name, ssh, labels, environments }: DeclaredHost) {
  return {
    name,
    ...(ssh === undefined ? {} : { destination: ssh.destination }),
    labels,
    environments: environments.map((environment) => environment.name),
  }
}

function seen({ login, os, machine, helper, disk }: HostState) {
  const version = helper === undefined ? undefined : versionOfHelper(helper.text)
  const place = disk.find(({ path }) => DEFAULT_ROOT.startsWith(`${path}/`) && path !== '/') ?? disk[0]
  return {
    reachable: true,
    problems: [],
    login: { user: login.user, admin: login.rights === 'root' || login.rights === 'sudo' },
    os: os.name,
    machine,
    ...(version === undefined ? {} : { helper: version }),
    ...(place === undefined ? {} : { freeBytes: place.freeBytes }),
  }
}

/** A host that does not let its deploy user in may never have been made ready. */
function forwarded(problem: Problem, { name }: DeclaredHost, { as }: LookOptions): Problem {
  if (problem.code !== 'hosts/ssh-denied' || as !== undefined) return problem
  const hint = `Is it not ready yet? Then: \`drover hosts bootstrap ${name} --as <a user with sudo>\`. ${problem.hint ?? ''}`
  return { ...problem, hint: hint.trim() }
}
