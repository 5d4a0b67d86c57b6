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
  let latest: Figure | undefined
  for (const scenario of SCENARIOS) {
    if (!scenarios.includes(scenario) && scenario !== 'first deploy') continue
    game.say(`   ${contestant.name}: ${scenario}`)
    const figure = await PLAYS[scenario](game, latest)
    if (scenario === 'first deploy') game.startTraffic()
    if (figure !== undefined && scenarios.includes(scenario)) yield figure
    latest = figure
  }
}

/** The figure before is given, for what can start from where that left the host. */
const PLAYS: Readonly<Record<Scenario, (game: Play, before: Figure | undefined) => Promise<Figure | undefined>>> = {
  'first deploy': firstDeploy,
  'one service changed': (game) => repeat(game, 'one service changed', () => change(game, 'coupon')),
  'nothing changed': (game) => repeat(game, 'nothing changed', () => Promise.resolve()),
  'all 19 changed': (game) => repeat(game, 'all 19 changed', () => change(game, 'all')),
  'roll back, old stopped': rollBack,
  'roll back, old still running': rollBackWarm,
  'never ready': (game) => bad(game, 'never ready', 'neverReady'),
  'exits at start': (game) => bad(game, 'exits at start', 'exitAtStart'),
}

async function firstDeploy(game: Play): Promise<Figure> {
  const first = await observe(game, () => game.contestant.deploy())
  expectGood(first, 'the first deploy')
  if (first.ready < game.stage.services.length) throw new Error(`only ${first.ready} services are ready after it`)
  return figure(game, 'first deploy', [first])
}

function figure({ contestant }: Play, scenario: Scenario, rounds: readonly Observed[]): Figure {
  return { contestant: contestant.name, scenario, rounds }
}

async function repeat(game: Play, scenario: Scenario, prepare: () => Promise<void>): Promise<Figure> {
  const rounds: Observed[] = []
  for (let round = 0; round < game.rounds; round++) {
    await prepare()
    await game.contestant.cool?.()
    rounds.push(await observe(game, () => game.contestant.deploy()))
  }
  return figure(game, scenario, rounds)
}

async function rollBack(game: Play, before: Figure | undefined): Promise<Figure> {
  const hasChanged = before?.scenario === 'all 19 changed' && before.rounds.at(-1)?.exitCode === 0
  const rounds: Observed[] = []
  for (let round = 0; round < game.rounds; round++) {
    if (round > 0 || !hasChanged) await releaseAll(game)
    await game.contestant.cool?.()
    game.stage.git('revert', '--no-edit', 'HEAD')
    rounds.push(await observe(game, () => game.contestant.rollback()))
  }
  return figure(game, 'roll back, old stopped', rounds)
}

async function rollBackWarm(game: Play): Promise<Figure | undefined> {
  const { warm } = game.contestant
  if (warm === undefined) return undefined
  const rounds: Observed[] = []
  for (let round = 0; round < game.rounds; round++) {
    await releaseAll(game)
    await warm.keep()
    game.stage.git('revert', '--no-edit', 'HEAD')
    rounds.push(await observe(game, () => warm.rollback()))
    await warm.settle()
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
