import { describe, it } from 'node:test'
import { allCuts, blink, crash, each, loseHost } from './lost-host.ts'

/** At every single thing that is asked of a host, where the fast tests take samples. */
describe('everywhere in a release to several hosts', () => {
  it('a host may be lost', async () => {
    await each(await allCuts(), loseHost)
  })

  it('a connection may be lost', async () => {
    await each(await allCuts(), blink)
  })

  it('Drover may die, and what it had under way go on', async () => {
    const moments = Array.from({ length: 110 }, (_, asked) => asked)
    await each(moments, (asked) => crash(asked, false))
    await each(moments, (asked) => crash(asked, true))
  })
})
