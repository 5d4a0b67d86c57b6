import { closeSync, openSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { countdown, dieAt } from '../../src/journal/faults.ts'
import type { FaultPoints } from '../../src/journal/faults.ts'
import { openControlPlane } from '../../src/drivers.ts'
import { Secret } from '../../src/secrets/secret.ts'
import { ENVIRONMENT, optionsFor } from './bench.ts'
import type { ChildOptions } from './bench.ts'

/**
 * `node control-plane-process.ts <options as JSON>`: a control plane that prints a word when it works, makes or follows
 * a release, and prints how that ended. With a point it dies there, which may be after the release's end.
 */
const LATEST_MS = 20_000
type ChildTask = ChildOptions & Required<Pick<ChildOptions, 'home' | 'order'>>
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the bench is its only caller
const { home, order, dieAt: point = '', death } = JSON.parse(process.argv[2] ?? '') as ChildTask
const url = process.env['DATABASE_URL'] ?? ''
const control = await openControlPlane({
  ...optionsFor(home),
  ...(url === '' ? {} : { databaseUrl: new Secret(url) }),
  ...(point === '' ? {} : { faults: faultsAt(point) }),
})
process.stdout.write('works\n')
const { controlPlane } = control
if (order === 'serve') await new Promise(() => undefined)
else {
  const release =
    order === 'resume'
      ? (await controlPlane.releases(ENVIRONMENT, { limit: 1 }))[0]!
      : await controlPlane.request(ENVIRONMENT, { order, actor: 'test' })
  for await (const event of controlPlane.events(release, { signal: AbortSignal.timeout(80_000) })) {
    if (event.body.kind === 'ended') break
  }
  if (point !== '' && death === undefined) await delay(LATEST_MS)
  const { outcome, number } = await controlPlane.release(release)
  await control.close()
  process.stdout.write(`${JSON.stringify({ outcome, number })}\n`)
}

function faultsAt(pattern: string): FaultPoints {
  const reached = countdown(pattern)
  return {
    reach: (name) => (reached(name) && isFirst() ? dieAt(name).reach(name) : Promise.resolve()),
  }
}

function isFirst(): boolean {
  if (death === undefined) return true
  try {
    closeSync(openSync(death, 'wx'))
    return true
  } catch {
    return false
  }
}
