import { dieAt } from '../../src/journal/faults.ts'
import { openControlPlane } from '../../src/drivers.ts'
import type { Order } from '../../src/release/records.ts'
import { ENVIRONMENT, optionsFor } from './bench.ts'

/** `node control-plane-process.ts <home> <order as JSON> [point]`: goes on with an open release, else makes one; dies at the point. */
const [home = '', order = '{}', point = ''] = process.argv.slice(2)
const control = await openControlPlane({ ...optionsFor(home), ...(point === '' ? {} : { faults: dieAt(point) }) })
const { controlPlane } = control
const [newest] = await controlPlane.releases(ENVIRONMENT, { limit: 1 })
const release =
  newest !== undefined && newest.outcome === undefined
    ? newest
    : await controlPlane.request(ENVIRONMENT, { order: JSON.parse(order) as Order, actor: 'test' })
for await (const event of controlPlane.events(release, { signal: AbortSignal.timeout(80_000) })) {
  if (event.body.kind === 'ended') break
}
const { outcome, number } = await controlPlane.release(release)
await control.close()
process.stdout.write(`${JSON.stringify({ outcome, number })}\n`)
