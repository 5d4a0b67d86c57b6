import { after, before } from 'node:test'
import type { Host } from '../../hosts/host.ts'
import type { Router } from '../router.ts'
import { startTrial } from '../trial.ts'
import type { Trial, TrialService } from '../trial.ts'

/** What the tests of a router share: one environment with two services, and sets with names of their own. */
export interface Stage {
  readonly trial: Trial
  readonly shop: TrialService
  readonly search: TrialService
  nameOfSet(): string
  /** Another environment with the same router, which stands for another host; ended with the stage. */
  elsewhere(): Promise<Trial>
  /** Lays a set of these choices and switches to it. */
  live(choices: Parameters<Trial['live']>[1]): Promise<void>
}

/** Gives the host to try a router on; what is handed to `after` undoes what it was made of. */
export type HostMaker = (suite: { after(work: () => Promise<void>): void }) => Promise<Host>

/** Sets the stage up before the tests of the suite that it is called in, and clears it after them. */
export function stageFor(create: () => Router, host: HostMaker): Stage {
  let built: Pick<Stage, 'trial' | 'shop' | 'search'> | undefined
  let sets = 0
  const there = (): NonNullable<typeof built> => {
    if (built === undefined) throw new Error('the stage is set up by the time a test runs')
    return built
  }
  const undo: (() => Promise<void>)[] = []
  before(async () => {
    const on = await host({ after: (work) => void undo.push(work) })
    const trial = await startTrial(create(), { host: on })
    built = { trial, shop: await trial.service('shop'), search: await trial.service('search-api') }
  })
  const others: Trial[] = []
  after(async () => {
    for (const other of others) await other.end()
    await built?.trial.end()
    for (const work of undo) await work()
  })

  return {
    get trial() {
      return there().trial
    },
    get shop() {
      return there().shop
    },
    get search() {
      return there().search
    },
    async elsewhere() {
      const other = await startTrial(there().trial.router, { host: there().trial.host })
      others.push(other)
      return other
    },
    nameOfSet: () => `set-${(sets += 1)}`,
    live(choices) {
      return there().trial.live(this.nameOfSet(), choices)
    },
  }
}
