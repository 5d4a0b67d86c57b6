import { misbehave } from '../../demo/acts.ts'
import { run } from './command.ts'
import type { Act, Contestant, Setting } from './contestant.ts'
import { observe } from './observe.ts'
import type { Observed } from './observe.ts'

export const SCENARIOS = [
  'first deploy',
  'one service changed',
  'nothing changed',
  'all 19 changed',
  'roll back, old stopped',
  'roll back, old still running',
  'never ready',
  'exits at start',
] as const

export type Scenario = (typeof SCENARIOS)[number]

export interface Figure {
  readonly contestant: string
  readonly scenario: Scenario
  readonly rounds: readonly Observed[]
  /** After a bad release; absent where nothing had to be done. */
  readonly recovery?: Observed
}

export interface Play extends Setting {
  readonly contestant: Contestant
  readonly scenarios: readonly Scenario[]
  /** How often everything but the first deploy and the bad ones is measured. */
  readonly rounds: number
  /** Called when there is something to ask. */
  readonly startTraffic: () => void
  readonly say: (line: string) => void
}

/** Plays the scenarios that were asked for, in their order; whatever they need of others is done and not measured. */
export async function* play(game: Play): AsyncGenerator<Figure> {
  const { contestant, scenarios } = game
  const first = await observe(game, () => contestant.deploy())
  expectGood(first, 'the first deploy')
  if (first.ready < game.stage.services.length)
    throw new Error(`after the first deploy ${first.ready} services are ready`)
  if (scenarios.includes('first deploy')) yield figure(game, 'first deploy', [first])
  game.startTraffic()
  for (const [index, scenario] of scenarios.entries()) {
    game.say(`   ${contestant.name}: ${scenario}`)
    if (scenario === 'one service changed') yield await repeat(game, scenario, () => change(game, 'coupon'))
    if (scenario === 'nothing changed') yield await repeat(game, scenario, () => Promise.resolve())
    if (scenario === 'all 19 changed') yield await repeat(game, scenario, () => change(game, 'all'))
    if (scenario === 'roll back, old stopped') yield await rollBack(game, scenarios[index - 1] === 'all 19 changed')
    if (scenario === 'roll back, old still running' && contestant.warm !== undefined) {
      yield await rollBackWarm(game)
    }
    if (scenario === 'never ready') yield await bad(game, scenario, 'neverReady')
    if (scenario === 'exits at start') yield await bad(game, scenario, 'exitAtStart')
  }
}

function figure({ contestant }: Play, scenario: Scenario, rounds: readonly Observed[]): Figure {
  return { contestant: contestant.name, scenario, rounds }
}

async function repeat(game: Play, scenario: Scenario, prepare: () => Promise<void>): Promise<Figure> {
  const rounds: Observed[] = []
  for (let round = 0; round < game.rounds; round++) {
    await prepare()
    rounds.push(await observe(game, () => game.contestant.deploy()))
  }
  return figure(game, scenario, rounds)
}

async function rollBack(game: Play, hasChanged: boolean): Promise<Figure> {
  const rounds: Observed[] = []
  for (let round = 0; round < game.rounds; round++) {
    if (round > 0 || !hasChanged) await releaseAll(game)
    await game.contestant.cool?.()
    game.stage.git('revert', '--no-edit', 'HEAD')
    rounds.push(await observe(game, () => game.contestant.rollback()))
  }
  return figure(game, 'roll back, old stopped', rounds)
}

async function rollBackWarm(game: Play): Promise<Figure> {
  const { warm } = game.contestant
  const rounds: Observed[] = []
  for (let round = 0; round < game.rounds; round++) {
    await releaseAll(game)
    await warm!.keep()
    game.stage.git('revert', '--no-edit', 'HEAD')
    rounds.push(await observe(game, () => warm!.rollback()))
    await warm!.settle()
  }
  return figure(game, 'roll back, old still running', rounds)
}

async function releaseAll(game: Play): Promise<void> {
  await change(game, 'all')
  expectGood(await game.contestant.deploy(), 'the release before a roll-back')
}

/** A change that breaks `coupon`; then what the book says to do; then what is still down is made good again, which does not count. */
async function bad(game: Play, scenario: Scenario, fault: string): Promise<Figure> {
  const { stage, contestant } = game
  await misbehave(stage, 'coupon', { from: `"${fault}": false`, to: `"${fault}": true` })
  const round = await observe(game, () => contestant.deploy())
  const recovery = contestant.recover && (await observe(game, () => contestant.recover!()))
  await misbehave(stage, 'coupon', { from: `"${fault}": true`, to: `"${fault}": false` })
  await contestant.cleanUp?.()
  if ((recovery ?? round).ready < stage.services.length) {
    expectGood(await contestant.deploy(), `the release after "${scenario}"`)
  }
  return { ...figure(game, scenario, [round]), ...(recovery === undefined ? {} : { recovery }) }
}

async function change({ stage }: Play, service: string): Promise<void> {
  await run(`${stage.repository}/scripts/bump.sh`, [service, `2.0.${Date.now()}`])
  stage.commit(`${service} changed`)
}

function expectGood({ exitCode, said }: Act, what: string): void {
  if (exitCode !== 0) throw new Error(`${what} ended with ${exitCode}:\n${said}`)
}
