import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { bump, drover, isUnderWay, killDroverIn, misbehave, play } from './acts.ts'
import type { Scene } from './acts.ts'
import { pakashopTargets } from './pakashop-traffic.ts'
import { setStage } from './stage.ts'
import type { Stage } from './stage.ts'
import { table } from './table.ts'
import type { Row } from './table.ts'
import { startTraffic } from './traffic.ts'
import type { Traffic } from './traffic.ts'

const REQUESTS_PER_SECOND = 210
const say = (text: string): void => void process.stdout.write(`${text}\n`)

const interrupted = new AbortController()
// A first Ctrl-C ends the demo orderly; what runs at the moment gets it too, and finishes by itself.
process.on('SIGINT', () => interrupted.abort())
process.on('SIGTERM', () => interrupted.abort())

say('Setting the stage: Pakashop in a git repository, a PostgreSQL, a Redis, all in a scratch folder')
const stage = await setStage()
let traffic: Traffic | undefined
let passed = false
try {
  const rows = await tell(stage)
  say(`\n${table(rows)}\n`)
  passed = await verdict(stage, rows)
  if (process.stdout.isTTY && passed && !interrupted.signal.aborted) await stayUp(stage)
} finally {
  await traffic?.stop()
  // A demo that was interrupted may have a release under way.
  if (isUnderWay(stage)) await drover(stage, 'cancel', 'production')
  await drover(stage, 'teardown', 'production', '--yes')
  await drover(stage, 'stop')
  await stage.strike()
}
process.exitCode = passed ? 0 : 1

async function tell(stage: Stage): Promise<Row[]> {
  const rows: Row[] = []
  const scene = async (
    title: string,
    command: readonly string[],
    more: { expectedExit?: number; meanwhile?: () => Promise<void> } = {},
  ): Promise<void> => {
    interrupted.signal.throwIfAborted()
    const played = await play({ stage, say, title, command, ...more })
    rows.push(await rowOf(played))
  }
  const deploy = ['deploy', 'production']

  await scene('first release', deploy)
  traffic = startTraffic({
    targets: pakashopTargets({ host: '127.0.0.1', portOffset: stage.portOffset, run: randomBytes(4).toString('hex') }),
    requestsPerSecond: REQUESTS_PER_SECOND,
    seed: 1,
  })
  say(
    `\nFrom here on ${REQUESTS_PER_SECOND} requests a second over all 19 services: kept connections, slow answers, uploads`,
  )
  bump(stage, 'coupon', '1.0.1')
  await scene('one service changed', deploy)
  await scene('nothing changed', deploy)
  bump(stage, 'all', '1.1.0')
  await scene('all 19 changed', deploy)
  await misbehave(stage, 'coupon', { from: '"neverReady": false', to: '"neverReady": true' })
  await scene('never ready', deploy, { expectedExit: 4 })
  await misbehave(stage, 'coupon', { from: '"neverReady": true', to: '"neverReady": false' })
  await misbehave(stage, 'coupon', { from: '"failAfter": 0', to: '"failAfter": 20' })
  await scene('fails under traffic', deploy, { expectedExit: 4 })
  await misbehave(stage, 'coupon', { from: '"failAfter": 20', to: '"failAfter": 0' })
  bump(stage, 'all', '1.2.0')
  await scene('kill -9 in mid-release', deploy, { meanwhile: () => killDroverIn(stage, 'start', say) })
  await scene('rollback', ['rollback', 'production'])
  await scene('rollback of one service', ['rollback', 'production', '--service', 'pricing'])
  await drover(stage, 'status', 'production')
  return rows
}

async function rowOf(scene: Scene): Promise<Row> {
  // Requests that are out when a scene ends belong to it: wait for the slowest of them.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  return traffic === undefined ? { scene } : { scene, traffic: traffic.report(scene.from, scene.to) }
}

/** What the demo promises, held against what happened. */
async function verdict(stage: Stage, rows: readonly Row[]): Promise<boolean> {
  const complaints = rows.flatMap(({ scene, traffic }) => [
    ...(scene.exitCode === scene.expectedExit
      ? []
      : [`${scene.title}: exit code ${scene.exitCode}, not ${scene.expectedExit}`]),
    ...(traffic === undefined || traffic.failed === 0
      ? []
      : [
          `${scene.title}: ${traffic.failed} requests failed: ${JSON.stringify(traffic.reasons)} ${JSON.stringify(traffic.firstFailures.slice(0, 3))}`,
        ]),
  ])
  const client = new Client(stage.databaseUrl)
  await client.connect()
  const twice = (await client.query('select * from jobs where runs > 1')).rowCount ?? 0
  const overlaps = (await client.query('select * from job_overlaps')).rowCount ?? 0
  const doubled = (await client.query('select * from orders where submissions > 1')).rowCount ?? 0
  await client.end()
  say(
    `jobs of singletons run twice: ${twice}, singletons at work at the same time: ${overlaps}, orders taken twice: ${doubled}`,
  )
  if (twice + overlaps + doubled > 0) complaints.push('a singleton ran twice or an order was doubled')
  for (const complaint of complaints) say(`✖ ${complaint}`)
  return complaints.length === 0
}

async function stayUp(stage: Stage): Promise<void> {
  say(`
It stays up until Ctrl-C. In another terminal:
  export DROVER_HOME=${stage.home}; cd ${stage.repository}
  drover status production            what runs where (drover is ${process.cwd()}/bin/drover)
  drover logs production gateway -f   what it says
  drover plan production              what the next release would do
  curl http://127.0.0.1:${8000 + stage.portOffset}/api/v1/products/SKU-001
`)
  await new Promise<void>((resolve) => interrupted.signal.addEventListener('abort', () => resolve(), { once: true }))
}
