import type { Service, SlotName } from '../manifest/fleet.ts'
import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import type { Before, ReleaseSet } from './records.ts'

/** What of the new set's ports cannot be done while the live set answers on its own. */
export function portProblems(set: ReleaseSet, live: ReleaseSet, before: Before): Problem[] {
  return [...changingHands(set, live), ...Object.values(set).flatMap((member) => movingAway(member, live, before))]
}

/** A port can change hands only through a release in which nobody has it: its old owner answers until the switch. */
function changingHands(set: ReleaseSet, live: ReleaseSet): Problem[] {
  const leaving = Object.values(live).filter(({ definition }) => set[definition.name] === undefined)
  const owners = new Map(
    leaving.flatMap(({ definition }) => portsOf(definition).map((port) => [port, definition.name] as const)),
  )
  return Object.values(set).flatMap(({ definition }) =>
    portsOf(definition).flatMap((port) => {
      const owner = owners.get(port)
      if (owner === undefined) return []
      const hint = `Release ${owner} away first, or give ${definition.name} another port.`
      return [
        problem(
          'release/port-changes-hands',
          `service ${definition.name}`,
          `takes port ${port} from ${owner}, which this release removes`,
          hint,
        ),
      ]
    }),
  )
}

/**
 * The router knows one stable port and one port per slot of a service, and knows the new ones before the switch: a
 * service that is live would be asked where it does not answer. The port of the slot that is not live may move.
 */
function movingAway({ definition }: ReleaseSet[string], live: ReleaseSet, before: Before): Problem[] {
  const { name, port } = definition
  const now = live[name]?.definition
  if (now?.port === undefined || port === undefined) return []
  const at = `service ${name}`
  if (now.port !== port) {
    const hint = `Release it under a second name with port ${port}, let its clients move, then take the old one away.`
    return [problem('release/port-moves', at, `is live on port ${now.port}, which this release moves to ${port}`, hint)]
  }
  const slots = new Set(Object.values(before).map((host) => host.live?.choices[name]?.slot))
  return [...slots].flatMap((slot) => {
    if (slot === undefined || slotPort(now, slot) === slotPort(definition, slot)) return []
    const what = `runs in slot ${slot} on port ${slotPort(now, slot)}, which this release moves to ${slotPort(definition, slot)}`
    const hint = `Move the port of slot ${slot === 'a' ? 'b' : 'a'} now, and that of slot ${slot} in a release after it.`
    return [problem('release/port-moves', at, what, hint)]
  })
}

function slotPort({ slotPorts }: Service, slot: SlotName): number | undefined {
  return slotPorts?.[slot === 'a' ? 0 : 1]
}

function portsOf(definition: Service): number[] {
  return [...(definition.port === undefined ? [] : [definition.port]), ...(definition.slotPorts ?? [])]
}
