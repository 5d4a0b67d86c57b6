import { join } from 'node:path'
import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence } from '../../hosts/operation.ts'
import { pm2Home } from './home.ts'
import { scriptOperation } from './scripts.ts'
import { slotFiles } from './slot-files.ts'
import { drainTime, slotClaim } from './stop.ts'
import { survey } from './survey.ts'

/** Stops every slot, ends PM2, and removes the slots' folders and PM2's own. */
export async function teardownPm2(host: Host, fence: Fence): Promise<void> {
  const { root } = fence
  const home = pm2Home(root)
  const { slots } = await survey(host, root)
  const stopping = slots.map((slot) => ({ ...slot, drainMs: slot.spec.drainMs }))
  const argv = stopping.flatMap((slot) => [slotFiles(root, slot).folder, String(slot.drainMs)])
  await act(
    host,
    fence,
    [
      scriptOperation('stop', argv),
      scriptOperation('quit', [home.folder]),
      { kind: 'remove', path: join(root, 'slots') },
      { kind: 'remove', path: home.folder },
      { kind: 'remove', path: home.link },
    ],
    { label: 'tear down', claims: slots.map(slotClaim), timeoutMs: drainTime(stopping) + 60_000 },
  )
}
