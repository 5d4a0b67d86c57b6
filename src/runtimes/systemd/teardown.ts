import { act } from '../../hosts/act.ts'
import { explainHelper } from '../../hosts/drover-host/drover-host.ts'
import { drainTime, slotClaim } from '../slot-refs.ts'
import { scriptOperation } from './scripts.ts'
import { survey } from './survey.ts'
import type { SystemdPlace } from './place.ts'

/** Stops every slot and removes the units and the slots' folders. What services keep in /var/lib/drover stays. */
export async function teardownSystemd(place: SystemdPlace, number: number): Promise<void> {
  const { host, fleet, environment, root } = place
  const { slots } = await survey(host, place)
  const stopping = slots.map((slot) => ({ ...slot, drainMs: slot.spec?.drainMs ?? 0 }))
  await act(host, { root, number }, [scriptOperation('teardown', [fleet, environment, root])], {
    label: 'tear down',
    claims: slots.map(slotClaim),
    timeoutMs: drainTime(stopping) + 60_000,
  }).catch((error: unknown) => {
    throw explainHelper(host.name, error)
  })
}
