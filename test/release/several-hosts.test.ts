import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { allCuts, blink, crash, each, loseHost } from './lost-host.ts'
import { severalHosts } from './several-hosts.ts'
import { HOSTS, MANIFEST, ONE, TWO, versionsOn } from './shop.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const SAMPLES = 8

describe('a release to several hosts', () => {
  it('lays each service where it belongs, and leads to it from everywhere', async () => {
    const hosts = await severalHosts({ manifest: MANIFEST })

    const first = await hosts.deploy(ONE)
    const second = await hosts.deploy(TWO)

    assert.deepEqual([first.outcome, first.problems, second.outcome, second.problems], ['kept', [], 'kept', []])
    assert.deepEqual(await hosts.runs('edge'), {})
    assert.deepEqual(await hosts.runs('h1'), { api: 'api 2', web: 'web 2' })
    assert.deepEqual(await hosts.runs('h2'), { api: 'api 2', web: 'web 2', jobs: 'jobs 2' })
    assert.deepEqual(await hosts.runs('h3'), { api: 'api 2' })
    for (const host of HOSTS) {
      assert.deepEqual(await hosts.answers(host), { api: 'api 2', web: 'web 2', jobs: 'jobs 2' })
    }
    assert.equal(hosts.mostAtOnce.get('jobs'), 1)
  })

  it('asks a host once what it has, although that begins before the plan', async () => {
    const hosts = await severalHosts({ manifest: MANIFEST })
    await hosts.deploy(ONE)
    const before = HOSTS.map((host) => hosts.net.asked(host))

    const release = await hosts.deploy(ONE)

    assert.equal(release.outcome, 'unchanged')
    // Its router, its slots and its disk.
    assert.deepEqual(
      HOSTS.map((host, index) => hosts.net.asked(host) - before[index]!),
      HOSTS.map(() => 3),
    )
  })

  it('goes back everywhere when one host fails', async () => {
    const hosts = await severalHosts({
      manifest: MANIFEST,
      behave: (spec, host) => (host === 'h3' && spec.start === 'run api 2' ? { exitsAfter: 0 } : {}),
    })
    await hosts.deploy(ONE)

    const release = await hosts.deploy(TWO)

    assert.equal(release.outcome, 'restored')
    assert.match(JSON.stringify(release.problems), /host h3, api\.b/)
    assert.equal(await versionsOn(hosts, HOSTS), '1')
  })

  it('is not kept when a host says that it runs something else', async () => {
    const hosts = await severalHosts({ manifest: MANIFEST })
    await hosts.deploy(ONE)
    hosts.pretend('h2', 'web', 'cafe')

    const release = await hosts.deploy(TWO)

    assert.equal(release.outcome, 'restored')
    assert.deepEqual(
      release.problems.map(({ code, where }) => [code, where.at]),
      [['release/other-version', 'service web on h2']],
    )
    assert.equal(await versionsOn(hosts, ['edge', 'h1', 'h3']), '1')
  })
})

describe('in the middle of a release to several hosts', () => {
  it(`a host may be lost (SEED=${seed})`, async () => {
    await each(sample(await allCuts()), loseHost)
  })

  it(`a connection may be lost (SEED=${seed})`, async () => {
    await each(sample(await allCuts()), blink)
  })

  it(`Drover may die, and what it had under way go on (SEED=${seed})`, async () => {
    const moments = Array.from({ length: 90 }, (_, asked) => asked)
    await each(sample(moments), (moment) => crash(moment, false))
    await each(sample(moments).slice(0, SAMPLES / 2), (moment) => crash(moment, true))
  })
})

/** Some of them, other ones with every seed. */
function sample<T>(all: readonly T[]): T[] {
  let state = seed
  return Array.from({ length: SAMPLES }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return all[Math.floor((state / 0x80000000) * all.length)]!
  })
}
