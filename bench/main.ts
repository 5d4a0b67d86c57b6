import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { ask, bump, drover, misbehave } from '../demo/acts.ts'
import { pakashopTargets } from '../demo/pakashop-traffic.ts'
import { setStage } from '../demo/stage.ts'
import type { Stage } from '../demo/stage.ts'
import { startTraffic } from '../demo/traffic.ts'
import type { Traffic } from '../demo/traffic.ts'
import { deployScript, floorOfAll, floorOfOneService, stopScriptFleet } from './floor.ts'
import type { Floor } from './floor.ts'

/**
 * Drover and the document's deploy.sh on the same fleet and machine, one after the other, under the same traffic, and the
 * floor that no tool can go below. Prints tables in Markdown. Read ratios: seconds depend on the machine.
 */
const REQUESTS_PER_SECOND = 190
const ROUNDS = Number(process.argv[2] ?? 3)
const say = (text: string): void => void process.stdout.write(`${text}\n`)

interface Result {
  readonly name: string
  /** Of each round; from the command to the switch, or to its end where nothing was switched. */
  readonly seconds: readonly number[]
  readonly sent: number
  readonly failed: number
}

const stage = await setStage()
let traffic: Traffic | undefined
try {
  say('# Drover')
  await silently(['deploy', 'production'])
  traffic = generator(stage)
  const floor = await median(() => floorOfOneService(stage, 'coupon', 3999))
  const { tiers } = await ask<{ tiers: string[][] }>(stage, 'graph')
  const floorAll = await median(() => floorOfAll(stage, tiers))
  const drovers = [
    await measure('one service changed', 'live', (round) => {
      bump(stage, 'coupon', `1.${round}.1`)
      return ['deploy', 'production']
    }),
    await measure('nothing changed', 'ended', () => ['deploy', 'production']),
    await measure('roll back, old still running', 'live', async (round) => {
      bump(stage, 'coupon', `1.${round}.2`)
      await silently(['deploy', 'production'])
      return ['rollback', 'production']
    }),
    await measure('all 19 changed', 'live', (round) => {
      bump(stage, 'all', `2.${round}.0`)
      return ['deploy', 'production']
    }),
    await neverReady(),
  ]
  await traffic.stop()
  await drover(stage, 'teardown', 'production', '--yes', '--quiet')
  const script = await scripted(stage)
  print({ one: floor, all: floorAll }, drovers, script)
} finally {
  await traffic?.stop()
  await drover(stage, 'teardown', 'production', '--yes', '--quiet')
  await drover(stage, 'stop', '--quiet')
  await stage.strike()
}

function generator(on: Stage): Traffic {
  return startTraffic({
    targets: pakashopTargets({ host: '127.0.0.1', portOffset: on.portOffset, run: randomBytes(4).toString('hex') }),
    requestsPerSecond: REQUESTS_PER_SECOND,
    seed: 1,
  })
}

async function silently(command: readonly string[]): Promise<number> {
  return drover(stage, ...command, '--quiet')
}

interface Timed {
  readonly requestedAt: number
  readonly switchedAt?: number
  readonly endedAt: number
}

async function measure(
  name: string,
  until: 'live' | 'ended',
  prepare: (round: number) => readonly string[] | Promise<readonly string[]>,
): Promise<Result> {
  const seconds: number[] = []
  const from = Date.now()
  for (let round = 1; round <= ROUNDS; round++) {
    const command = await prepare(round)
    const began = Date.now()
    await silently(command)
    const { releases } = await ask<{ releases: Timed[] }>(stage, 'releases', 'production', '-n', '1')
    const [release] = releases
    // The whole command counts, the start of the program too.
    const end = until === 'live' ? release!.switchedAt! : release!.endedAt
    seconds.push((end - began) / 1000)
  }
  return { name, seconds, ...(await counted(from)) }
}

async function counted(from: number): Promise<{ sent: number; failed: number }> {
  const to = Date.now()
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const { sent, failed } = traffic!.report(from, to)
  return { sent, failed }
}

async function neverReady(): Promise<Result> {
  await misbehave(stage, 'coupon', { from: '"neverReady": false', to: '"neverReady": true' })
  const from = Date.now()
  await silently(['deploy', 'production'])
  const seconds = [(Date.now() - from) / 1000]
  await misbehave(stage, 'coupon', { from: '"neverReady": true', to: '"neverReady": false' })
  return { name: 'never ready (deadline 8 s)', seconds, ...(await counted(from)) }
}

/** The same fleet by deploy.sh: a first run to have something to change, then one under traffic with one service changed. */
async function scripted(on: Stage): Promise<Result> {
  const clone = join(on.folder, 'clone')
  execFileSync('git', ['clone', '-q', '--branch', 'production', on.repository, clone])
  try {
    await deployScript(on, clone)
    traffic = generator(on)
    bump(on, 'coupon', '9.9.9')
    const from = Date.now()
    const { ms } = await deployScript(on, clone)
    const result = { name: 'any change', seconds: [ms / 1000], ...(await counted(from)) }
    await traffic.stop()
    return result
  } finally {
    stopScriptFleet(clone)
  }
}

/** Seconds from the beginning to the last service's being ready. */
async function median(measureOnce: () => Promise<Floor>): Promise<number> {
  const all: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const { buildMs, startMs } = await measureOnce()
    all.push(buildMs + startMs)
  }
  return middle(all) / 1000
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function print(floor: { one: number; all: number }, drovers: readonly Result[], script: Result): void {
  say(`\n${REQUESTS_PER_SECOND} requests/s over 19 services, ${ROUNDS} rounds, medians [least to most]\n`)
  say('| | s | requests | failed | deploy.sh takes |\n|---|--:|--:|--:|--:|')
  say(`| floor of one service: checkout, node_modules, start to ready, by hand | ${floor.one.toFixed(2)} | | | |`)
  say(
    `| floor of all 19: the same, Go's builds, the migration, order of starts, by hand | ${floor.all.toFixed(2)} | | | |`,
  )
  for (const { name, seconds, sent, failed } of drovers) {
    const times = middle(script.seconds) / middle(seconds)
    say(`| Drover: ${name} | ${range(seconds)} | ${sent} | ${failed} | ${times.toFixed(1)} × |`)
  }
  say(`| deploy.sh: ${script.name} | ${range(script.seconds)} | ${script.sent} | ${script.failed} | |`)
  const ratio = (name: string, of: number): string =>
    `${name}: ${(middle(drovers.find((result) => result.name === name)!.seconds) / of).toFixed(2)} × its floor`
  say(`\n${ratio('one service changed', floor.one)}; ${ratio('all 19 changed', floor.all)}`)
}

function range(seconds: readonly number[]): string {
  const text = middle(seconds).toFixed(2)
  return seconds.length === 1
    ? text
    : `${text} [${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}]`
}
