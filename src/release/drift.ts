import type { Finding, FindingKind } from '../hosts/finding.ts'
import type { Comparison } from '../hosts/host.ts'
import type { Layout } from '../hosts/layout.ts'
import type { RouteChoice, RouterReport, RouteSet } from '../routers/router.ts'
import type { Inspection, SlotReport } from '../runtimes/runtime.ts'

/** What a host should run, by the live release. */
export interface Declared {
  readonly layout: Layout
  readonly services: ReadonlyMap<string, DeclaredService>
  /** Slots that are not live may still run, so that going back needs no start. */
  readonly isWarm: boolean
}

export interface DeclaredService {
  readonly artifact: string
  readonly config: string
  /** SHA-256 of its environment file, in hex; absent where a value has changed since, so that nobody knows. */
  readonly environment?: string
}

/** What a host says of itself. */
export interface Actual {
  readonly router: RouterReport
  readonly slots: readonly SlotReport[]
  /** Absent: the runtime cannot tell. */
  readonly inspected?: Pick<Inspection, 'environments' | 'findings'>
  /** Artifacts that were compared with what was laid, by service. */
  readonly artifacts: ReadonlyMap<string, ArtifactState>
  /** The set that is live there, as the release that it is of has laid it; absent when no kept release has. */
  readonly laid?: RouteSet
}

/** `isItsOwn`: what the host has recorded of it is what its name was made from. */
export type ArtifactState = Pick<Comparison, 'there' | 'count' | 'paths'> & { readonly isItsOwn: boolean }

/** What of a host is not as it was declared; pure. Sorted by service, what is of the whole host first. */
export function driftOf(declared: Declared, actual: Actual): Finding[] {
  const found = [
    ...routerFindings(actual),
    ...[...declared.services].flatMap(([name, service]) => serviceFindings({ name, service, declared, actual })),
    ...strays(declared, actual),
  ]
  return [...found, ...runtimeFindings(declared, actual, found)].sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1))
}

function orderOf({ service, slot, kind, path }: Finding): string {
  return [service ?? '', slot ?? '', kind, path ?? ''].join('\0')
}

function routerFindings({ router, laid }: Actual): Finding[] {
  const { running, live, edited = [] } = router
  const found = (kind: FindingKind, what: string): Finding => ({ kind, what, mend: 'release' })
  return [
    ...(running ? [] : [found('router-down', 'the router does not run')]),
    ...edited.map((path) => ({ ...found('router-edited', 'a file of the router is not as it was laid'), path })),
    ...(live === undefined
      ? [found('router-set', 'nothing is live')]
      : laid === undefined
        ? [found('router-set', `the set ${live.name} is live, which is of no release that was kept`)]
        : misled(live, laid)),
  ]
}

/** Services whose requests go elsewhere than their release has said. */
function misled(live: RouteSet, laid: RouteSet): Finding[] {
  const services = [...new Set([...Object.keys(live.choices), ...Object.keys(laid.choices)])]
  return services.flatMap((service): Finding[] => {
    const [now, then] = [nameOf(live.choices[service]), nameOf(laid.choices[service])]
    if (now === then) return []
    return [{ kind: 'router-set', service, what: `its requests go to ${now}, not to ${then}`, mend: 'release' }]
  })
}

function nameOf(choice: RouteChoice | undefined): string {
  if (choice === undefined) return 'nobody'
  return choice.hold === true
    ? 'the waiting room'
    : `slot ${choice.slot}${choice.shielded === true ? ', shielded' : ''}`
}

interface Question {
  readonly name: string
  readonly service: DeclaredService
  readonly declared: Declared
  readonly actual: Actual
}

function serviceFindings(question: Question): Finding[] {
  const { name: service, actual } = question
  const slot = liveSlot(actual, service)
  const report = actual.slots.find((each) => each.service === service && each.slot === slot)
  const artifact = artifactFinding(question)
  if (slot === undefined) return [...artifact, { kind: 'slot-down', service, what: 'it is not live', mend: 'release' }]
  if (report === undefined || report.state !== 'running') {
    const what = `its live slot is ${report?.state ?? 'gone'}`
    return [...artifact, { kind: 'slot-down', service, slot, what, mend: 'release' }]
  }
  return [...artifact, ...versionFindings(question, report), ...environmentFinding(question, report)]
}

function liveSlot({ router }: Actual, service: string): 'a' | 'b' | undefined {
  return router.live?.choices[service]?.slot
}

function versionFindings({ service: declared }: Question, { service, slot, artifact, config }: SlotReport): Finding[] {
  const found = { kind: 'slot-other', service, slot, mend: 'release' } as const
  return [
    ...(artifact === declared.artifact ? [] : [{ ...found, what: `it runs the artifact ${artifact ?? 'of nobody'}` }]),
    ...(config === declared.config
      ? []
      : [{ ...found, what: `it runs with the configuration ${config ?? 'of nobody'}` }]),
  ]
}

function environmentFinding(
  { service: declared, declared: { layout }, actual }: Question,
  slot: SlotReport,
): Finding[] {
  const { service, config } = slot
  if (actual.inspected === undefined || config !== declared.config) return []
  const environment = actual.inspected.environments.get(`${service}.${slot.slot}`)
  const isRight = environment === undefined ? false : environment === (declared.environment ?? environment)
  if (isRight) return []
  const what = environment === undefined ? 'its environment file is gone' : 'its environment file was edited'
  const path = layout.environment(service, config)
  return [{ kind: 'environment', service, what, path, mend: 'release' }]
}

function artifactFinding({ name: service, service: declared, declared: { layout }, actual }: Question): Finding[] {
  const state = actual.artifacts.get(service)
  const folder = layout.artifact(service, declared.artifact)
  if (state === undefined || (state.there && state.isItsOwn && state.count === 0)) return []
  const found = { kind: 'artifact', service, mend: 'release' } as const
  if (!state.there) return [{ ...found, what: 'its artifact is gone', path: folder }]
  if (!state.isItsOwn)
    return [{ ...found, what: 'the record of its artifact is not the one that was laid', path: folder }]
  const many = state.count === 1 ? 'its artifact was altered' : `its artifact was altered in ${state.count} places`
  return [{ ...found, what: many, path: `${folder}/${state.paths[0] ?? ''}` }]
}

function strays({ isWarm }: Declared, actual: Actual): Finding[] {
  if (isWarm) return []
  const running = actual.slots.filter(
    ({ state, service, slot }) => state === 'running' && liveSlot(actual, service) !== slot,
  )
  return running.map(({ service, slot }) => {
    const what = `its slot ${slot} runs, and nobody has declared it`
    return { kind: 'slot-stray', service, slot, what, mend: 'release' }
  })
}

/** Of slots only the live ones count, of services only those that are declared; and nothing is told twice. */
function runtimeFindings({ services }: Declared, actual: Actual, told: readonly Finding[]): Finding[] {
  const isTold = ({ kind, service }: Finding): boolean =>
    kind === 'environment' && told.some((other) => other.kind === kind && other.service === service)
  return (actual.inspected?.findings ?? []).filter((finding) => {
    const { service, slot } = finding
    if (service === undefined) return true
    return services.has(service) && (slot === undefined || slot === liveSlot(actual, service)) && !isTold(finding)
  })
}

/** What a release has to put right on a host: of services, which are started anew, and of the host itself. */
export interface Repairs {
  readonly services: ReadonlyMap<string, readonly string[]>
  readonly host: readonly string[]
}

/** Besides what the plan sees by itself: that a live slot does not run, or runs another version. */
const STARTED_ANEW: ReadonlySet<FindingKind> = new Set([
  'slot-edited',
  'artifact',
  'environment',
  'unit-edited',
  'unit-missing',
  'unit-unread',
  'boot',
])
const OF_THE_HOST: ReadonlySet<FindingKind> = new Set(['router-down', 'router-edited', 'boot', 'slot-stray'])

export function repairsOf(findings: readonly Finding[]): Repairs {
  const mended = findings.filter(({ mend }) => mend === 'release')
  const services = new Map<string, string[]>()
  for (const { kind, service, what } of mended) {
    if (service !== undefined && STARTED_ANEW.has(kind)) services.set(service, [...(services.get(service) ?? []), what])
  }
  const host = mended
    .filter(({ kind, service }) => OF_THE_HOST.has(kind) && (service === undefined || kind === 'slot-stray'))
    .map(({ service, what }) => (service === undefined ? what : `${service}: ${what}`))
  return { services, host: [...new Set(host)] }
}
