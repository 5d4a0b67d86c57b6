import { describe, it } from 'node:test'
import { allCuts, blink, crash, loseHost } from './lost-host.ts'

/** At every single thing that is asked of a host, where the fast tests take samples. */
describe('everywhere in a release to several hosts', () => {
  it('a host may be lost', async () => {
    for (const cut of await allCuts()) await loseHost(cut)
  })

  it('a connection may be lost', async () => {
    for (const cut of await allCuts()) await blink(cut)
  })

  it('Drover may die, and what it had under way go on', async () => {
    for (let asked = 0; asked < 110; asked++) await crash(asked, false)
    for (let asked = 0; asked < 110; asked++) await crash(asked, true)
  })
})
