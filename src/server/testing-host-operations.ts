import type { Item } from '../hosts/bootstrap/item.ts'
import type { DeclaredHost } from '../manifest/declared-hosts.ts'
import { problem, refusal } from '../problem/problem.ts'
import type { BootstrapOrder, BootstrapPlan, HostOperations, HostReport } from '../release/host-operations.ts'

/**
 * Hosts in memory that keep the promises of the port, for the tests of what stands on it. What a host is like is told
 * by its name: `bare-…` is ready once it was bootstrapped as somebody else than its deploy user, `away-…` cannot be
 * reached, `odd-…` is no server for us, any other is ready.
 */
export function testingHostOperations(): HostOperations {
  const bootstrapped = new Set<string>()
  const isReady = ({ name }: DeclaredHost): boolean => !name.startsWith('bare-') || bootstrapped.has(name)
  return {
    look: async (host, { as, asRoot = as !== undefined }) => {
      if (host.name.startsWith('away-') || (!isReady(host) && as === undefined && userOf(host) === 'drover')) {
        return { ...declared(host), reachable: false, problems: [denied(host)], ready: false, items: [] }
      }
      const user = (as ?? destinationOf(host)).split('@')[0] ?? ''
      return {
        ...declared(host),
        ...SEEN,
        login: { user, admin: asRoot && user !== 'drover' },
        ...(isReady(host) ? { helper: 1 } : {}),
        ready: isReady(host) && !isOdd(host),
        items: itemsOf(host, isReady(host)),
      }
    },
    plan: async (order) => planOf(order, isReady(order.host)),
    async *bootstrap(order, signal) {
      const plan = planOf(order, isReady(order.host))
      if (isOdd(order.host)) throw refusal('hosts/cannot-systemd', `host ${order.host.name}`, 'has no systemd')
      if (order.plan !== undefined && order.plan !== plan.hash) throw refusal('hosts/plan-changed', 'host', 'changed')
      yield { kind: 'plan', plan }
      const changed = plan.items.filter(({ sign }) => sign !== 'same')
      for (const { name } of changed) {
        if (signal.aborted) return
        yield { kind: 'begin', item: name }
        yield { kind: 'done', item: name, ms: 40 }
      }
      bootstrapped.add(order.host.name)
      yield { kind: 'ended', changed: changed.length }
    },
  }
}

const SEEN = {
  reachable: true,
  problems: [],
  user: 'drover',
  os: 'Debian GNU/Linux 12 (bookworm)',
  machine: 'x86_64',
  freeBytes: 8_316_579_840,
} as const

function isOdd({ name }: DeclaredHost): boolean {
  return name.startsWith('odd-')
}

function destinationOf({ ssh }: DeclaredHost): string {
  return ssh?.destination ?? 'local'
}

function userOf(host: DeclaredHost): string {
  return destinationOf(host).split('@')[0] ?? ''
}

function declared(host: DeclaredHost): Pick<HostReport, 'name' | 'destination' | 'labels' | 'environments'> {
  const environments = host.environments.map(({ name }) => name)
  return {
    name: host.name,
    labels: host.labels,
    environments,
    ...(host.ssh === undefined ? {} : { destination: host.ssh.destination }),
  }
}

function denied(host: DeclaredHost) {
  return problem('hosts/ssh-denied', `host ${host.name}`, `${destinationOf(host)}: refuses our keys`, 'Which key?')
}

function itemsOf(host: DeclaredHost, ready: boolean): Item[] {
  if (isOdd(host)) {
    return [{ name: 'systemd', sign: 'cannot', what: 'process 1 is tini', hint: 'Boot it with systemd as its init.' }]
  }
  return [
    { name: 'packages', sign: 'same', what: 'none is missing' },
    ready
      ? { name: 'user', sign: 'same', what: 'drover, in adm' }
      : { name: 'user', sign: 'add', what: 'drover, in adm', why: 'Drover logs in as it' },
  ]
}

function planOf({ host, as }: BootstrapOrder, ready: boolean): BootstrapPlan {
  if (host.name.startsWith('away-')) throw refusal('hosts/unreachable', `host ${host.name}`, 'did not answer in time')
  return {
    host: host.name,
    destination: as ?? destinationOf(host),
    user: 'drover',
    os: SEEN.os,
    machine: SEEN.machine,
    items: itemsOf(host, ready),
    advice: ['firewall: open 22 for Drover and yourselves, 80 and 443 for users'],
    hash: (ready ? 'a' : 'b').repeat(64),
  }
}
