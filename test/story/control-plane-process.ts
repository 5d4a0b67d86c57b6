import { setTimeout as delay } from 'node:timers/promises'
import { dieAt } from '../../src/journal/faults.ts'
import { openControlPlane } from '../../src/drivers.ts'
import type { Order } from '../../src/release/records.ts'
import { ENVIRONMENT, optionsFor } from './bench.ts'

/**
 * `node control-plane-process.ts <home> <order as JSON, or "resume"> [point]`: makes a release, or follows the newest one
 * to its end, and says how it ended. With a point it dies there, which may be after the release's end.
 */
const LATEST_MS = 20_000
const [home = '', order = '{}', point = ''] = process.argv.slice(2)
const control = await openControlPlane({ ...optionsFor(home), ...(point === '' ? {} : { faults: dieAt(point) }) })
const { controlPlane } = control
const release =
  order === 'resume'
    ? (await controlPlane.releases(ENVIRONMENT, { limit: 1 }))[0]!
    : await controlPlane.request(ENVIRONMENT, { order: JSON.parse(order) as Order, actor: 'test' })
for await (const event of controlPlane.events(release, { signal: AbortSignal.timeout(80_000) })) {
  if (event.body.kind === 'ended') break
}
if (point !== '') await delay(LATEST_MS)
const { outcome, number } = await controlPlane.release(release)
await control.close()
process.stdout.write(`${JSON.stringify({ outcome, number })}\n`)
