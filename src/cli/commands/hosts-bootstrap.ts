import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Refusal } from '../../problem/problem.ts'
import type { Problem } from '../../problem/problem.ts'
import type { BootstrapOrder, BootstrapPlan } from '../../release/host-operations.ts'
import { problemLines, usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import type { Client } from '../client/client.ts'
import { connect } from '../client/connect.ts'
import { confirm, mayAsk } from '../confirm.ts'
import { hostsDeclared, namedHosts } from '../declared.ts'
import { EXIT, exitCodeOf } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { openProgress } from '../live/host-progress.ts'
import type { HostProgress } from '../live/host-progress.ts'
import type { HostsBootstrapOptions } from '../options.ts'
import { bootstrapText } from '../text/host-text.ts'
import { counted } from '../text/time.ts'

/** Shows what each host lacks, asks, and puts it right. */
export async function bootstrapHosts(
  cli: Cli,
  names: readonly string[],
  options: HostsBootstrapOptions,
): Promise<ExitCode> {
  const { as } = options
  const wanted = namedHosts(await hostsDeclared(cli), names)
  if (as?.includes('@') === true && wanted.length > 1) {
    throw usage('--as', 'names one address for several hosts', 'Name the user alone, or bootstrap one host at a time.')
  }
  const keys = await keysOf(cli, options)
  const orders = wanted.map((host): BootstrapOrder => ({ host, keys, ...(as === undefined ? {} : { as }) }))
  const client = await connect(cli)
  const plans = await plansFor(client, orders)
  const changing = plans.filter(({ items }) => items.some(({ sign }) => sign !== 'same'))
  if (!cli.json && changing.length > 0) {
    cli.print(changing.map((plan) => bootstrapText(plan, { width: cli.width, paints: cli.paint })).join('\n\n'))
  }
  if (plans.some(({ items }) => items.some(({ sign }) => sign === 'cannot'))) return refuse(cli, plans)
  if (changing.length > 0 && !(await agreed(cli, changing, options))) {
    if (cli.json) cli.document({ plans })
    else cli.note('nothing was changed')
    return EXIT.refused
  }
  const bound = orders.map((order) => ({ ...order, plan: planOf(plans, order).hash }))
  return carryOut(cli, client, bound)
}

/** Every host's plan, or everything that stands in the way of one. */
async function plansFor(client: Client, orders: readonly BootstrapOrder[]): Promise<readonly BootstrapPlan[]> {
  const settled = await Promise.allSettled(orders.map((order) => client.planBootstrap(order)))
  const problems: Problem[] = []
  for (const each of settled) {
    if (each.status === 'fulfilled') continue
    if (!(each.reason instanceof Refusal)) throw each.reason
    problems.push(...each.reason.problems)
  }
  if (problems.length > 0) throw new Refusal(problems)
  return settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
}

function planOf(plans: readonly BootstrapPlan[], { host }: BootstrapOrder): BootstrapPlan {
  return plans.find((plan) => plan.host === host.name)!
}

function refuse(cli: Cli, plans: readonly BootstrapPlan[]): ExitCode {
  const hosts = plans.filter(({ items }) => items.some(({ sign }) => sign === 'cannot')).map(({ host }) => host)
  if (cli.json) cli.document({ plans })
  else cli.print(`\n${cli.paint.red('✗')} ${hosts.join(', ')} cannot be made ready; nothing was changed`)
  return EXIT.refused
}

async function agreed(cli: Cli, plans: readonly BootstrapPlan[], { yes }: HostsBootstrapOptions): Promise<boolean> {
  if (yes === true) {
    if (!cli.json) cli.print('')
    return true
  }
  if (!mayAsk(cli)) {
    cli.note('add --yes to carry this out')
    return false
  }
  cli.print('')
  return confirm(cli, `Do this on ${plans.map(({ host }) => host).join(', ')}?`)
}

/** All at once; one that fails does not stop the others. */
async function carryOut(cli: Cli, client: Client, orders: readonly BootstrapOrder[]): Promise<ExitCode> {
  const names = orders.map(({ host }) => host.name)
  const progress = await openProgress(cli, names)
  const stop = new AbortController()
  const off = cli.onInterrupt(() => stop.abort())
  try {
    const results = await Promise.all(orders.map((order) => oneHost({ client, order, progress }, stop.signal)))
    progress.close()
    return report(cli, results, stop.signal.aborted)
  } finally {
    off()
    progress.close()
  }
}

interface OneHost {
  readonly client: Client
  readonly order: BootstrapOrder
  readonly progress: HostProgress
}

interface Result {
  readonly host: string
  readonly changed?: number
  readonly refusal?: Refusal
}

async function oneHost({ client, order, progress }: OneHost, signal: AbortSignal): Promise<Result> {
  const host = order.host.name
  let changed: number | undefined
  try {
    for await (const event of client.bootstrap(order, signal)) {
      progress.event(host, event)
      if (event.kind === 'ended') changed = event.changed
    }
    return { host, ...(changed === undefined ? {} : { changed }) }
  } catch (error) {
    progress.over(host)
    if (signal.aborted) return { host }
    if (error instanceof Refusal) return { host, refusal: error }
    throw error
  }
}

function report(cli: Cli, results: readonly Result[], interrupted: boolean): ExitCode {
  const refusals = results.flatMap(({ refusal }) => (refusal === undefined ? [] : [refusal]))
  const problems = refusals.flatMap((refusal) => refusal.problems)
  if (cli.json) {
    const hosts = results.map(({ host, changed, refusal }) => ({
      host,
      ready: changed !== undefined,
      changed: changed ?? null,
      problems: refusal?.problems ?? [],
    }))
    cli.document({ hosts })
  } else {
    for (const { host, changed } of results) {
      if (changed !== undefined) cli.print(`${cli.paint.green('✓')} ${host} is ready${changesText(changed)}`)
    }
    if (problems.length > 0) cli.print(problemLines(problems, cli.paint))
    if (interrupted) cli.print(`${cli.paint.yellow('○')} stopped; run it again to go on where it was`)
  }
  if (interrupted) return EXIT.interrupted
  const [first] = refusals.toSorted((one, other) => exitCodeOf(other.outcome) - exitCodeOf(one.outcome))
  return first === undefined ? EXIT.done : exitCodeOf(first.outcome)
}

function changesText(changed: number): string {
  return changed === 0 ? '; nothing was changed' : `; ${counted(changed, 'thing')} changed`
}

async function keysOf(cli: Cli, { key }: HostsBootstrapOptions): Promise<readonly string[]> {
  if (key === undefined) return []
  const text = await readFile(resolve(cli.cwd, key), 'utf8').catch((cause: unknown) => {
    throw usage('--key', `${key} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  })
  const hint = 'Give the file with .pub at its end.'
  // It stays here: nothing of it is sent, not even to be refused.
  if (text.includes('PRIVATE KEY')) throw usage('--key', `${key} is a private key`, hint)
  const lines = text.split('\n').map((line) => line.trim())
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'))
  if (keys.length === 0) throw usage('--key', `${key} has no key`, hint)
  return keys
}
