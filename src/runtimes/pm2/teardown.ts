import { join } from 'node:path'
import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence } from '../../hosts/operation.ts'
import { endingArgv } from './calls.ts'
import { pm2Home } from './home.ts'
import { scriptOperation } from './scripts.ts'
import { drainTime, slotClaim } from '../slot-refs.ts'
import { survey } from './survey.ts'

/** Stops every slot, ends PM2, and removes the slots' folders and PM2's own. */
export async function teardownPm2(host: Host, fence: Fence): Promise<void> {
  const { root } = fence
  const home = pm2Home(root)
  const { slots } = await survey(host, root)
  const stopping = slots.map((slot) => ({ ...slot, drainMs: slot.spec.drainMs }))
  await act(
    host,
    fence,
    [
      { kind: 'run', program: 'sh', argv: endingArgv(root, stopping) },
      scriptOperation('quit', [home.folder]),
      { kind: 'remove', path: join(root, 'slots') },
      { kind: 'remove', path: home.folder },
      { kind: 'remove', path: home.link },
    ],
    { label: 'tear down', claims: slots.map(slotClaim), timeoutMs: drainTime(stopping) + 60_000 },
  )
}
