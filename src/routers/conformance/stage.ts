import { after, before } from 'node:test'
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

/** Sets the stage up before the tests of the suite that it is called in, and clears it after them. */
export function stageFor(create: () => Router): Stage {
  let built: Pick<Stage, 'trial' | 'shop' | 'search'> | undefined
  let sets = 0
  const there = (): NonNullable<typeof built> => {
    if (built === undefined) throw new Error('the stage is set up by the time a test runs')
    return built
  }
  before(async () => {
    const trial = await startTrial(create())
    built = { trial, shop: await trial.service('shop'), search: await trial.service('search-api') }
  })
  const others: Trial[] = []
  after(async () => {
    for (const other of others) await other.end()
    await built?.trial.end()
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
      const other = await startTrial(there().trial.router)
      others.push(other)
      return other
    },
    nameOfSet: () => `set-${(sets += 1)}`,
    live(choices) {
      return there().trial.live(this.nameOfSet(), choices)
    },
  }
}
