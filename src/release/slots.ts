import type { Artifact } from '../build/artifact.ts'
import type { Layout } from '../hosts/layout.ts'
import { otherSlot } from '../manifest/fleet.ts'
import type { Service, SlotName } from '../manifest/fleet.ts'
import type { RouteChoice, RouteSet } from '../routers/router.ts'
import type { SlotReport, SlotSpec } from '../runtimes/runtime.ts'
import type { Secret } from '../secrets/secret.ts'
import { artifactVariables } from './configure.ts'
import type { Plan } from './plan.ts'
import type { Before, ReleaseSet, SetMember } from './records.ts'

export function runsOn(member: SetMember | undefined, host: string): boolean {
  return member?.definition.hosts.includes(host) ?? false
}

/** What has to be known of a member of a set to run it. */
export interface Runnable {
  readonly artifact: Pick<Artifact, 'service' | 'id' | 'start' | 'cwd' | 'environment'>
  readonly definition: Pick<Service, 'slotPorts' | 'drainMs' | 'limits'>
  readonly config: string
  /** The release that built or configured this version. */
  readonly release: number
}

export interface SpecInput {
  readonly layout: Layout
  readonly member: Runnable
  readonly slot: SlotName
  /** The release that starts it. */
  readonly release: number
  /** Lets the slot reach the set it belongs to before that is live. */
  readonly token?: Secret
}

/** How a member of a set runs in a slot of a host. */
export function slotSpec({ layout, member, slot, release, token }: SpecInput): SlotSpec {
  const { artifact, definition } = member
  const folder = layout.artifact(artifact.service, artifact.id)
  const port = definition.slotPorts?.[slot === 'a' ? 0 : 1]
  return {
    service: artifact.service,
    slot,
    artifact: artifact.id,
    config: member.config,
    start: artifact.start,
    cwd: artifact.cwd === '' || artifact.cwd === '.' ? folder : `${folder}/${artifact.cwd}`,
    environmentFile: layout.environment(artifact.service, member.config),
    variables: {
      ...Object.fromEntries(artifactVariables(artifact, folder)),
      HOST: '127.0.0.1',
      DROVER_SLOT: slot,
      DROVER_RELEASE: String(member.release),
      ...(port === undefined ? {} : { PORT: String(port) }),
      ...(token === undefined ? {} : { DROVER_SET: token }),
    },
    ...(port === undefined ? {} : { port }),
    drainMs: definition.drainMs,
    ...(definition.limits === undefined ? {} : { limits: definition.limits }),
    release,
    restart: true,
  }
}

/** Where the plan puts the services of one host: those that move, by kind; the rest stays where it is live. */
export interface HostMoves {
  /** Started or adopted beside the live one. */
  readonly beside: ReadonlyMap<string, SlotName>
  /** Stopped and started at the switch. */
  readonly swapped: ReadonlyMap<string, SlotName>
  /** Stopped at the switch, and started on another host. */
  readonly leaving: ReadonlyMap<string, SlotName>
}

export function movesOn(plan: Plan, host: string): HostMoves {
  const steps = plan.steps.filter((step) => step.host === host)
  const slotsOf = (kinds: readonly string[]): Map<string, SlotName> =>
    new Map(steps.filter((step) => kinds.includes(step.kind)).map((step) => [step.service!, step.slot!]))
  return { beside: slotsOf(['start', 'adopt']), swapped: slotsOf(['swap']), leaving: slotsOf(['leave']) }
}

export interface RouteSetInput {
  readonly name: string
  readonly release: number
  readonly host: string
  readonly set: ReleaseSet
  readonly plan: Plan
  readonly before: Before
}

/**
 * The set that the release makes live on a host. `shielded`: a moved service is covered by its old slot during the watch, and
 * one that leaves the host is still answered by it.
 */
export function newRoutes(input: RouteSetInput, shielded: boolean): RouteSet {
  const moves = movesOn(input.plan, input.host)
  const before = input.before[input.host]
  const choices: Record<string, RouteChoice> = {}
  for (const [service, member] of Object.entries(input.set)) {
    const moved = moves.beside.get(service) ?? moves.swapped.get(service)
    const live = before?.live?.choices[service]?.slot
    const stays = runsOn(member, input.host) || (shielded && live !== undefined && !moves.leaving.has(service))
    if (!stays) continue
    if (moved === undefined) choices[service] = { slot: live ?? 'a' }
    else
      choices[service] =
        shielded && isWarm(before?.slots ?? [], service, moved, moves)
          ? { slot: moved, shielded: true }
          : { slot: moved }
  }
  return { name: input.name, release: input.release, choices }
}

/** The old slot can answer for the new one only where both run: not for a singleton, not for a first start. */
function isWarm(slots: readonly SlotReport[], service: string, moved: SlotName, moves: HostMoves): boolean {
  if (!moves.beside.has(service)) return false
  return slots.some((slot) => slot.service === service && slot.slot === otherSlot(moved) && slot.state === 'running')
}

/** The set of before with the services that swap held in the waiting room. */
export function heldRoutes(name: string, release: number, live: RouteSet, held: Iterable<string>): RouteSet {
  const choices = { ...live.choices }
  for (const service of held) {
    const choice = choices[service]
    if (choice !== undefined) choices[service] = { slot: choice.slot, hold: true }
  }
  return { name, release, choices }
}

/** Names of a release's sets on a host; the router keeps them apart. */
export const setNames = {
  plain: (release: number) => `r${release}`,
  shielded: (release: number) => `r${release}-shielded`,
  held: (release: number) => `r${release}-held`,
  heldBack: (release: number) => `r${release}-held-back`,
  nothing: () => 'nothing',
}
