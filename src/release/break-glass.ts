import { act, readFence } from '../hosts/act.ts'
import type { Host } from '../hosts/host.ts'
import { layout } from '../hosts/layout.ts'
import type { Fence } from '../hosts/operation.ts'
import { otherSlot } from '../manifest/fleet.ts'
import type { SlotName } from '../manifest/fleet.ts'
import { Refusal, problem, refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { awaitReady } from '../runtimes/ready.ts'
import type { Runtime, SlotReport } from '../runtimes/runtime.ts'
import type { Router, RouteSet } from '../routers/router.ts'
import type { HostMember, HostRecord } from './host-record.ts'
import { readHostRecords } from './read-host-records.ts'
import { slotSpec } from './slots.ts'

/** One host, without a control plane and its records: for when there is nothing but the host. */
export interface BrokenGlass {
  readonly host: Host
  /** The environment's folder there. */
  readonly root: string
  runtime(record: HostRecord): Runtime
  router(record: HostRecord): Router
  /** The clock, milliseconds since the epoch. */
  readonly now: () => number
  readonly signal: AbortSignal
  /** Told what is done, as it is done. */
  readonly say: (line: string) => void
}

export interface GlassReport {
  readonly host: string
  /** The release that was live before, by what the host says. */
  readonly from?: number
  readonly to: number
  readonly services: readonly { readonly service: string; readonly slot: SlotName; readonly started: boolean }[]
}

const FIND = 'for folder in /srv/drover/*/"$1"; do [ -d "$folder/releases" ] && printf "%s\\n" "$folder"; done; exit 0'

/** Where an environment lies on a host that nobody has said anything about: below Drover's own folder. */
export async function findRoot(
  host: Host,
  { environment, fleet }: { readonly environment: string; readonly fleet?: string },
): Promise<string> {
  if (fleet !== undefined) return `/srv/drover/${fleet}/${environment}`
  const { ok, stdout, stderr } = await host.run({ program: 'sh', argv: ['-c', FIND, 'sh', environment] })
  const [found, ...others] = stdout.split('\n').filter((line) => line !== '')
  if (found !== undefined && others.length === 0) return found
  const at = `host ${host.name}`
  if (!ok) throw refusal('release/host-records', at, `cannot be looked at: ${stderr.trim()}`)
  if (found === undefined) {
    const hint = '--root says where the environment lies there, when it is not below /srv/drover.'
    throw refusal('release/host-records', at, `has no environment ${environment} below /srv/drover`, hint)
  }
  const what = `has several environments ${environment}: ${[found, ...others].join(', ')}`
  throw refusal('release/host-records', at, what, '--fleet says which.')
}

/**
 * Takes one host back to a release that was kept on it, by what the host itself knows: starts that set beside the live one,
 * waits until it is ready, and switches. Under a number above all that the host has seen, so that whatever control plane
 * may still be at work is shut out. Which other hosts run what is for whoever broke the glass to know.
 */
export async function breakGlass(glass: BrokenGlass, to: number | undefined): Promise<GlassReport> {
  const { host, root, say } = glass
  const records = await readHostRecords(host, root)
  const newest = records.at(-1)
  if (newest === undefined) throw nothingThere(glass)
  const { live } = await glass.router(newest).observe(host, root)
  const record = recordWanted(records, live, { to, glass })
  const current = records.find(({ number }) => number === live?.release)
  const slots = await glass.runtime(record).observe(host, root)
  const moves = movesTo(record, live, slots)
  say(
    `host ${host.name}: ${live === undefined ? 'nothing is live' : `release ${live.release} is live`}; going back to ${record.number}`,
  )
  await requireKept(glass, record, moves)
  const seen = await readFence(host, root)
  const work: Work = { glass, record, current, live, moves, fence: { root, number: Math.max(seen + 1, glass.now()) } }
  try {
    await startBeside(work)
    await switchTo(work)
  } catch (error) {
    await leaveAsItWas(work)
    throw error
  }
  await proveLive(work)
  return {
    host: host.name,
    ...(live === undefined ? {} : { from: live.release }),
    to: record.number,
    services: [...moves.values()].map(({ service, slot, runs }) => ({ service, slot, started: !runs })),
  }
}

interface MoveBack {
  readonly service: string
  readonly member: HostMember
  readonly slot: SlotName
  /** The wanted version runs there already. */
  readonly runs: boolean
  /** The slot that is live now, when it is another one. */
  readonly replaces?: SlotName
}

interface Work {
  readonly glass: BrokenGlass
  readonly record: HostRecord
  /** Of what is live now, where the host knows it. */
  readonly current: HostRecord | undefined
  readonly live: RouteSet | undefined
  readonly moves: ReadonlyMap<string, MoveBack>
  readonly fence: Fence
}

function nothingThere({ host, root }: BrokenGlass): Refusal {
  return refusal(
    'release/host-records',
    `host ${host.name}`,
    `nothing that was released is noted in ${root}/releases`,
    'Is this the folder of the environment? --root names another, --fleet another fleet.',
  )
}

interface Asked {
  readonly to: number | undefined
  readonly glass: BrokenGlass
}

/** The one that is named, or the newest before what is live. */
function recordWanted(records: readonly HostRecord[], live: RouteSet | undefined, { to, glass }: Asked): HostRecord {
  const known = records.map(({ number }) => number)
  const found =
    to === undefined
      ? records.findLast(({ number }) => live === undefined || number < live.release)
      : records.find(({ number }) => number === to)
  if (found !== undefined) return found
  const what = to === undefined ? 'knows of no release before the live one' : `knows of no release ${to}`
  throw refusal('release/host-records', `host ${glass.host.name}`, what, `It knows ${known.join(', ')}.`)
}

/** Where each service of the set runs already, or is to be started: in the slot that is not live. */
function movesTo(record: HostRecord, live: RouteSet | undefined, slots: readonly SlotReport[]): Map<string, MoveBack> {
  return new Map(
    Object.entries(record.services).map(([service, member]) => {
      const now = live?.choices[service]?.slot
      const isRight = (slot: SlotName): boolean => slots.some((each) => isVersion(each, { service, slot }, member))
      if (now !== undefined && isRight(now)) return [service, { service, member, slot: now, runs: true }]
      const slot = now === undefined ? 'a' : otherSlot(now)
      const replaces = now === undefined ? {} : { replaces: now }
      return [service, { service, member, slot, runs: isRight(slot) && !member.once, ...replaces }]
    }),
  )
}

function isVersion(
  report: SlotReport,
  at: { readonly service: string; readonly slot: SlotName },
  { artifact, config }: HostMember,
): boolean {
  const isThere = report.service === at.service && report.slot === at.slot && report.state === 'running'
  return isThere && report.artifact === artifact.id && report.config === config
}

const MISSING = 'for path; do [ -e "$path" ] || printf "%s\\n" "$path"; done'

/** Artifacts and values of older releases are removed after a while. */
async function requireKept(glass: BrokenGlass, record: HostRecord, moves: Work['moves']): Promise<void> {
  const { host, root } = glass
  const places = layout(root)
  const wanted = [...moves.values()].filter(({ runs }) => !runs)
  const paths = wanted.flatMap(({ service, member }) => [
    places.artifact(service, member.artifact.id),
    places.environment(service, member.config),
  ])
  const { ok, stdout, stderr } = await host.run({ program: 'sh', argv: ['-c', MISSING, 'sh', ...paths] })
  const missing = stdout.split('\n').filter((path) => path !== '')
  if (ok && missing.length === 0) return
  const problems = missing.map((path): Problem => problem('release/not-kept', `host ${host.name}`, `${path} is gone`))
  const [first] = problems
  if (first === undefined)
    throw refusal('release/not-kept', `host ${host.name}`, `cannot be looked at: ${stderr.trim()}`)
  throw new Refusal([
    { ...first, hint: `Release ${record.number} cannot be started again there; is there a newer one?` },
    ...problems.slice(1),
  ])
}

/** Everything that may run beside the live one, each as soon as what it needs is ready. */
async function startBeside(work: Work): Promise<void> {
  const { glass, record } = work
  await glass.runtime(record).prepare(glass.host, work.fence)
  const ready = new Map<string, Promise<void>>()
  const begin = (service: string): Promise<void> => {
    const move = work.moves.get(service)
    const known = ready.get(service)
    if (known !== undefined || move === undefined || move.member.once) return known ?? Promise.resolve()
    const begun = Promise.all(move.member.definition.needs.map(begin)).then(() => start(work, move))
    ready.set(service, begun)
    return begun
  }
  await Promise.all([...work.moves.keys()].map(begin))
}

async function start({ glass, record, fence }: Work, { service, member, slot, runs }: MoveBack): Promise<void> {
  const { host, root, say, signal } = glass
  const runtime = glass.runtime(record)
  if (runs) return
  const spec = slotSpec({ layout: layout(root), member, slot, release: record.number })
  const began = glass.now()
  await runtime.start(host, fence, [spec])
  const port = spec.port === undefined ? {} : { port: spec.port }
  const readiness = member.definition.ready
  await awaitReady({ host, runtime, root, slot: { service, slot }, readiness, signal, ...port })
  say(`${service}: ready in slot ${slot} after ${((glass.now() - began) / 1000).toFixed(1)} s`)
}

/** What must not run twice is away for a moment: there is nobody here in whose waiting room its requests could wait. */
async function switchTo(work: Work): Promise<void> {
  const { glass, record, current, fence, moves } = work
  const { host, say } = glass
  const router = glass.router(record)
  const choices = Object.fromEntries([...moves.values()].map(({ service, slot }) => [service, { slot }]))
  const set: RouteSet = { name: `glass-${fence.number}`, release: record.number, choices }
  // Nothing that is live loses its port before the switch.
  const now = current?.routes.filter(({ service }) => !record.routes.some((route) => route.service === service)) ?? []
  await router.shape(host, fence, [...record.routes, ...now])
  await router.lay(host, fence, set)
  const once = [...moves.values()].filter(({ member, runs }) => member.once && !runs)
  const stops = once.flatMap(({ service, member, replaces }) =>
    replaces === undefined ? [] : [{ service, slot: replaces, drainMs: member.definition.drainMs }],
  )
  if (stops.length > 0) await glass.runtime(record).stop(host, fence, stops)
  await Promise.all(once.map((move) => start(work, move)))
  await router.switch(host, fence, set.name)
  await noteIt(work)
  say(`host ${host.name}: switched`)
}

/** What was started for it is stopped, and what had to stop for it starts again, as far as the host lets us. */
async function leaveAsItWas(work: Work): Promise<void> {
  const { glass, record, current, fence, moves } = work
  const runtime = glass.runtime(record)
  const started = [...moves.values()].filter(({ runs }) => !runs)
  const stops = started.map(({ service, slot, member }) => ({ service, slot, drainMs: member.definition.drainMs }))
  const again = started.flatMap(({ service, member: { once }, replaces }) => {
    const member = current?.services[service]
    if (!once || replaces === undefined || member === undefined || current === undefined) return []
    return [slotSpec({ layout: layout(glass.root), member, slot: replaces, release: current.number })]
  })
  await runtime.stop(glass.host, fence, stops).catch(() => undefined)
  await runtime.start(glass.host, fence, again).catch(() => undefined)
}

/** For whoever looks at the host later. */
async function noteIt({ glass, record, live, fence }: Work): Promise<void> {
  const at = new Date(glass.now()).toISOString()
  const content = `${JSON.stringify({ at, from: live?.release, to: record.number })}\n`
  await act(glass.host, fence, [{ kind: 'write', path: `${glass.root}/broken-glass.json`, content }])
}

async function proveLive({ glass, record, moves }: Work): Promise<void> {
  const slots = await glass.runtime(record).observe(glass.host, glass.root)
  const wrong = [...moves.values()].filter(
    ({ service, slot, member }) => !slots.some((each) => isVersion(each, { service, slot }, member)),
  )
  if (wrong.length === 0) return
  throw new Refusal(
    wrong.map(({ service, slot }) =>
      problem(
        'release/other-version',
        `service ${service} on ${glass.host.name}`,
        `does not run in slot ${slot} as it should`,
      ),
    ),
    'failed-not-restored',
  )
}
