import { once } from 'node:events'
import { openControlPlane } from '../../../src/drivers.ts'
import type { OpenedControlPlane } from '../../../src/drivers.ts'
import { countdown } from '../../../src/journal/faults.ts'
import { Secret } from '../../../src/secrets/secret.ts'
import { ENVIRONMENT, optionsFor } from '../bench.ts'
import type { Orders, Question, Told } from './steered.ts'

/** A control plane in a process of its own: it is told over the channel what to do, and where to die, to wait or to freeze. */

const RealDate = Date
let shiftMs = 0
const reached: string[] = []
let armed: { hits: (point: string) => boolean; effect: (Question & { ask: 'arm' })['effect'] } | undefined
let gate = Promise.withResolvers<void>()

function tell(told: Told): Promise<void> {
  return new Promise((resolve) => process.send?.(told, () => resolve()))
}

async function reach(point: string): Promise<void> {
  reached.push(point)
  if (armed?.hits(point) !== true) return
  const { effect } = armed
  armed = undefined
  if (effect === 'die') {
    process.kill(process.pid, 'SIGKILL')
    return new Promise(() => undefined)
  }
  gate = Promise.withResolvers()
  await tell({ point })
  if (effect === 'freeze') process.kill(process.pid, 'SIGSTOP')
  if (effect === 'hold') await gate.promise
}

/** What this process takes for the time of day. Timers are not of that clock, in Node.js as elsewhere. */
class ShiftedDate extends RealDate {
  constructor(...given: []) {
    super(...((given.length === 0 ? [ShiftedDate.now()] : given) as []))
  }
  static override now(): number {
    return RealDate.now() + shiftMs
  }
}

async function answer({ controlPlane, ...control }: OpenedControlPlane, question: Question): Promise<unknown> {
  switch (question.ask) {
    case 'request':
      return (await controlPlane.request(ENVIRONMENT, { order: question.order, actor: 'test' })).number
    case 'behind':
      return (await controlPlane.status(ENVIRONMENT)).hosts.filter(({ behind }) => behind !== undefined).length
    case 'upkeep':
      return control.upkeep()
    case 'reached':
      return reached.splice(0)
    case 'arm':
      armed = { hits: countdown(question.point), effect: question.effect }
      break
    case 'disarm':
      armed = undefined
      break
    case 'go':
      gate.resolve()
      break
    case 'shift':
      shiftMs = question.ms
      globalThis.Date = ShiftedDate as DateConstructor
      break
    case 'teardown':
      await controlPlane.teardown(ENVIRONMENT, 'test')
  }
  return undefined
}

process.once('disconnect', () => process.exit(1))
const [orders] = (await once(process, 'message')) as [Orders]
const control = await openControlPlane({
  ...optionsFor(orders.home),
  databaseUrl: new Secret(process.env['DATABASE_URL'] ?? ''),
  // Shorter than anybody would have them, since every cut is waited for.
  ssh: { configFile: orders.sshConfig, connectTimeoutSeconds: 4, silenceSeconds: 6 },
  faults: { reach },
  log: (line) => void tell({ line }),
})
process.on('message', ({ number, question }: { number: number; question: Question }) => {
  answer(control, question).then(
    (value) => tell({ number, value }),
    (error: unknown) =>
      tell({ number, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
await tell({ number: 0 })
