import { randomBytes } from 'node:crypto'
import { bump, drover, endRelease, killDroverIn, misbehave } from './acts.ts'
import { pakashopTargets } from './pakashop-traffic.ts'
import { setStage } from './stage.ts'
import { table } from './table.ts'
import { openTale } from './tale.ts'
import { verdict } from './verdict.ts'

const REQUESTS_PER_SECOND = 210
const say = (text: string): void => void process.stdout.write(`${text}\n`)

const interruption = new AbortController()
const interrupted = interruption.signal
// A first Ctrl-C ends the demo orderly; what runs at the moment gets it too, and finishes by itself.
process.on('SIGINT', () => interruption.abort())
process.on('SIGTERM', () => interruption.abort())

say('Setting the stage: Pakashop in a git repository, a PostgreSQL, a Redis, all in a scratch folder')
const stage = await setStage()
const tale = openTale({ stage, say, requestsPerSecond: REQUESTS_PER_SECOND, interrupted })
process.exitCode = 1
try {
  await tell()
  const rows = await tale.rows()
  say(`\n${table(rows)}\n`)
  const passed = await verdict(stage, rows, say)
  process.exitCode = passed ? 0 : 1
  if (process.stdout.isTTY && passed) await stayUp()
} catch (error) {
  if (!interrupted.aborted) throw error
  process.exitCode = 130
} finally {
  await tale.end()
  // A demo that was interrupted may have a release under way.
  await endRelease(stage)
  await drover(stage, 'teardown', 'production', '--yes')
  await drover(stage, 'stop')
  await stage.strike()
}

async function tell(): Promise<void> {
  const deploy = ['deploy', 'production']
  await tale.release('first release', deploy)
  const { portOffset } = stage
  tale.openDoors(pakashopTargets({ host: '127.0.0.1', portOffset, run: randomBytes(4).toString('hex') }))
  say(
    `\nFrom here on ${REQUESTS_PER_SECOND} requests a second over all 19 services: kept connections, slow answers, uploads`,
  )
  bump(stage, 'coupon', '1.0.1')
  await tale.release('one service changed', deploy)
  await tale.release('nothing changed', deploy)
  bump(stage, 'all', '1.1.0')
  await tale.release('all 19 changed', deploy)
  await misbehave(stage, 'coupon', { from: '"neverReady": false', to: '"neverReady": true' })
  await tale.release('never ready', deploy, { expectedExit: 4 })
  await misbehave(stage, 'coupon', { from: '"neverReady": true', to: '"neverReady": false' })
  await misbehave(stage, 'coupon', { from: '"failAfter": 0', to: '"failAfter": 20' })
  await tale.release('fails under traffic', deploy, { expectedExit: 4 })
  await misbehave(stage, 'coupon', { from: '"failAfter": 20', to: '"failAfter": 0' })
  bump(stage, 'all', '1.2.0')
  await tale.release('kill -9 in mid-release', deploy, { meanwhile: () => killDroverIn(stage, 'start', say) })
  await tale.release('rollback', ['rollback', 'production'])
  await tale.release('rollback of one service', ['rollback', 'production', '--service', 'pricing'])
  await tale.look('status', 'production')
}

async function stayUp(): Promise<void> {
  say(`
It stays up until Ctrl-C. In another terminal:
  export DROVER_HOME=${stage.home}; cd ${stage.repository}
  drover status production            what runs where (drover is ${process.cwd()}/bin/drover)
  drover logs production gateway -f   what it says
  drover plan production              what the next release would do
  curl http://127.0.0.1:${8000 + stage.portOffset}/api/v1/products/SKU-001
`)
  if (interrupted.aborted) return
  await new Promise<void>((resolve) => interrupted.addEventListener('abort', () => resolve(), { once: true }))
}
