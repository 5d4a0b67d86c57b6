import { randomBytes } from 'node:crypto'
import { pakashopTargets } from '../../demo/pakashop-traffic.ts'
import { startTraffic } from '../../demo/traffic.ts'
import type { Traffic } from '../../demo/traffic.ts'
import type { Contestant, Setting } from './contestant.ts'
import type { Observed } from './observe.ts'
import type { Measured, MeasuredFigure } from './report.ts'
import { play } from './scenarios.ts'
import type { Figure, Scenario } from './scenarios.ts'

export interface UnderLoadOptions extends Setting {
  readonly contestant: Contestant
  readonly scenarios: readonly Scenario[]
  readonly rounds: number
  /** Over all services together, each at its time whether or not others were answered. */
  readonly requestsPerSecond: number
  readonly say: (line: string) => void
}

/** Plays a contestant's scenarios under traffic. What it was measured at until something went wrong is kept. */
export async function underLoad(options: UnderLoadOptions): Promise<MeasuredFigure[]> {
  const { contestant, host, stage, requestsPerSecond, say } = options
  const figures: Figure[] = []
  let traffic: Traffic | undefined
  const startTrafficHere = (): void => {
    const run = randomBytes(4).toString('hex')
    const targets = pakashopTargets({ host: host.address, portOffset: stage.portOffset, run })
    traffic = startTraffic({ targets, requestsPerSecond, seed: 1 })
  }
  try {
    await contestant.prepare()
    for await (const figure of play({ ...options, startTraffic: startTrafficHere })) figures.push(figure)
  } catch (error) {
    say(`   ${contestant.name} stopped: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await traffic?.stop()
    await contestant.dispose?.()
  }
  // Only now has every request that was under way ended.
  const measured = (seen: Observed): Measured =>
    traffic === undefined ? seen : { ...seen, requests: traffic.report(seen.from, seen.to) }
  return figures.map(({ rounds, recovery, ...figure }) => ({
    ...figure,
    rounds: rounds.map(measured),
    ...(recovery === undefined ? {} : { recovery: measured(recovery) }),
  }))
}
