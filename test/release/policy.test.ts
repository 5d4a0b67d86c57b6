import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Refusal } from '../../src/problem/problem.ts'
import { ENVIRONMENT, severalHosts } from './several-hosts.ts'
import type { SeveralHosts } from './several-hosts.ts'
import { HOSTS, MANIFEST, ONE, THREE, TWO, marked, versionsAnswering, versionsOn } from './shop.ts'

const REPOSITORY = { goal: 'deploy', repository: '/repository', ref: 'main' } as const

async function live(manifest = MANIFEST): Promise<SeveralHosts> {
  const hosts = await severalHosts({ manifest })
  await hosts.deploy(ONE, { manifest })
  return hosts
}

describe('a host that is away', () => {
  it('is named with all others, and the release is refused', async () => {
    const hosts = await live()
    hosts.net.away('h3')
    hosts.net.away('edge')

    const release = await hosts.deploy(TWO)

    assert.equal(release.outcome, 'refused')
    assert.deepEqual(
      release.problems.map(({ code, where }) => [code, where.at]),
      [
        ['release/host-away', 'host edge'],
        ['release/host-away', 'host h3'],
      ],
    )
    assert.match(release.problems[0]?.hint ?? '', /--without edge --without h3/)
    assert.equal(await versionsOn(hosts, HOSTS), '1')
  })

  it('is in the plan, which is another one without it', async () => {
    const hosts = await live()
    hosts.net.away('h3')

    const away = await hosts.controlPlane.plan(ENVIRONMENT, { order: REPOSITORY, actor: 'test' })
    const without = await hosts.controlPlane.plan(ENVIRONMENT, {
      order: { ...REPOSITORY, without: ['h3'] },
      actor: 'test',
    })

    assert.deepEqual(away.leftOut, [{ host: 'h3', why: 'away', detail: 'did not answer in time' }])
    assert.deepEqual(without.leftOut, [{ host: 'h3', why: 'without' }])
    assert.notEqual(away.hash, without.hash)
  })

  it('can be left out, and is sent nothing until it is healed (R12, R13)', async () => {
    const hosts = await live()
    hosts.net.away('h3')

    const release = await hosts.deploy(TWO, { without: ['h3'] })
    hosts.net.back('h3')

    assert.deepEqual([release.outcome, release.without], ['kept', ['h3']])
    assert.deepEqual(await marked(hosts), { h3: 2 })
    assert.equal(await versionsOn(hosts, ['h3']), '1')
    assert.equal(await versionsOn(hosts, ['edge', 'h1', 'h2']), '2')
    assert.deepEqual(hosts.peers('edge', 'api'), ['h1', 'h2'])

    const heal = await hosts.carryOut({ goal: 'heal', host: 'h3' })

    assert.deepEqual([heal.outcome, heal.goal, heal.host], ['kept', 'heal', 'h3'])
    assert.deepEqual(await marked(hosts), {})
    assert.deepEqual(hosts.peers('edge', 'api'), ['h1', 'h2', 'h3'])
    assert.equal(await versionsAnswering(hosts), '2')
    assert.equal((await hosts.status()).live?.number, 2)
  })

  it('comes along with the next release when it is back', async () => {
    const hosts = await live()
    await hosts.deploy(TWO, { without: ['h3'] })

    const release = await hosts.deploy(THREE)

    assert.equal(release.outcome, 'kept')
    assert.deepEqual(await marked(hosts), {})
    assert.equal(await versionsOn(hosts, HOSTS), '3')
    assert.deepEqual(hosts.peers('edge', 'api'), ['h1', 'h2', 'h3'])
  })

  it('is not marked by a release that is undone', async () => {
    const hosts = await severalHosts({
      manifest: MANIFEST,
      behave: (spec) => (spec.start === 'run web 2' ? { exitsAfter: 3 } : {}),
    })
    await hosts.deploy(ONE)

    const release = await hosts.deploy(TWO, { without: ['h3'] })

    assert.equal(release.outcome, 'restored')
    assert.deepEqual(await marked(hosts), {})
    assert.deepEqual(hosts.peers('edge', 'api'), ['h1', 'h2', 'h3'])
    assert.equal(await versionsAnswering(hosts), '1')
  })

  it('is welcome again without a change when it runs what is live', async () => {
    const hosts = await live()
    await hosts.deploy(TWO, { without: ['h3'] })
    await hosts.carryOut({ goal: 'rollback', to: 1, without: ['h3'] })
    assert.deepEqual(hosts.peers('edge', 'api'), ['h1', 'h2'])

    const heal = await hosts.carryOut({ goal: 'heal', host: 'h3' })

    assert.equal(heal.outcome, 'unchanged')
    assert.deepEqual(await marked(hosts), {})
    assert.deepEqual(hosts.peers('edge', 'api'), ['h1', 'h2', 'h3'])
  })

  it('stays marked when it cannot be healed', async () => {
    const hosts = await severalHosts({
      manifest: MANIFEST,
      behave: (spec, host) => (host === 'h3' && spec.start === 'run api 2' ? { exitsAfter: 0 } : {}),
    })
    await hosts.deploy(ONE)
    await hosts.deploy(TWO, { without: ['h3'] })

    const heal = await hosts.carryOut({ goal: 'heal', host: 'h3' })

    assert.equal(heal.outcome, 'restored')
    assert.deepEqual(await marked(hosts), { h3: 2 })
    assert.equal((await hosts.status()).live?.number, 2)
    assert.equal(await versionsOn(hosts, ['edge', 'h1', 'h2']), '2')
  })

  it('is healed by Drover itself once it answers, and tried again later when that fails', async () => {
    let broken = true
    const hosts = await severalHosts({
      manifest: MANIFEST,
      behave: (spec, host) => (broken && host === 'h3' && spec.start === 'run api 2' ? { exitsAfter: 0 } : {}),
    })
    await hosts.deploy(ONE)
    hosts.net.away('h3')
    await hosts.deploy(TWO, { without: ['h3'] })

    await hosts.upkeep(0)
    const whileAway = await marked(hosts)
    hosts.net.back('h3')
    await hosts.upkeep(0)
    const whileBroken = await marked(hosts)
    broken = false
    await hosts.upkeep(10_000)
    const tooSoon = await marked(hosts)
    await hosts.upkeep(61_000)

    assert.deepEqual([whileAway, whileBroken, tooSoon], [{ h3: 2 }, { h3: 2 }, { h3: 2 }])
    assert.deepEqual(await marked(hosts), {})
    assert.equal(await versionsOn(hosts, HOSTS), '2')
    const [newest] = await hosts.controlPlane.releases(ENVIRONMENT, { limit: 1 })
    assert.deepEqual(
      [newest?.goal, newest?.actor, newest?.reason],
      ['heal', 'drover', 'was left out of release 2, and answers again'],
    )
  })

  it('that the environment does not have is refused by its name, and so are all of them', async () => {
    const hosts = await live()

    const unknown = await refused(hosts, ['h4'])
    const all = await refused(hosts, HOSTS)

    assert.deepEqual(unknown, ['release/unknown-host'])
    assert.deepEqual(all, ['release/no-host-left'])
  })

  async function refused(hosts: SeveralHosts, without: readonly string[]): Promise<string[]> {
    const planned = hosts.controlPlane.plan(ENVIRONMENT, { order: { ...REPOSITORY, without }, actor: 'test' })
    const error: unknown = await planned.catch((reason: unknown) => reason)
    assert.ok(error instanceof Refusal)
    return error.problems.map(({ code }) => code)
  }
})

describe('what must not run twice', () => {
  const MOVED = MANIFEST.replace('on: [h2], singleton', 'on: [h1], singleton')

  it('moves to another host without running twice, and back again', async () => {
    const hosts = await live()

    const there = await hosts.deploy(TWO, { manifest: MOVED })
    const onH1 = [await hosts.runs('h1'), await hosts.runs('h2')].map(({ jobs }) => jobs)
    const answering = await versionsAnswering(hosts)
    const back = await hosts.carryOut({ goal: 'rollback' })

    assert.deepEqual([there.outcome, there.problems, back.outcome], ['kept', [], 'kept'])
    assert.deepEqual(onH1, ['jobs 2', undefined])
    assert.equal(answering, '2')
    assert.equal((await hosts.runs('h2'))['jobs'], 'jobs 1')
    assert.equal(await versionsAnswering(hosts), '1')
    assert.equal(hosts.mostAtOnce.get('jobs'), 1)
  })

  it('is back where it was when the release that moved it is undone', async () => {
    const hosts = await severalHosts({
      manifest: MANIFEST,
      behave: (spec) => (spec.start === 'run jobs 2' ? { readyAfter: Number.POSITIVE_INFINITY } : {}),
    })
    await hosts.deploy(ONE)

    const release = await hosts.deploy(TWO, { manifest: MOVED })

    assert.equal(release.outcome, 'restored')
    assert.equal((await hosts.runs('h2'))['jobs'], 'jobs 1')
    assert.equal(await versionsAnswering(hosts), '1')
    assert.equal(hosts.mostAtOnce.get('jobs'), 1)
  })

  it('stays on a host that is left out, and does not start elsewhere meanwhile', async () => {
    const hosts = await live()

    const stays = await hosts.deploy(TWO, { without: ['h2'] })
    const moves = await hosts.deploy(THREE, { without: ['h2'], manifest: MOVED })

    assert.equal(stays.outcome, 'kept')
    assert.equal((await hosts.runs('h2'))['jobs'], 'jobs 1')
    assert.equal(moves.outcome, 'refused')
    assert.deepEqual(
      moves.problems.map(({ code }) => code),
      ['release/may-run-twice'],
    )
    assert.equal(hosts.mostAtOnce.get('jobs'), 1)
  })

  it('moves away from a host that is gone for good once the manifest says so', async () => {
    const hosts = await live()
    const gone = MOVED.replace('h2: h2, ', '').replaceAll('h2, ', '').replaceAll(', h2', '')
    const stillThere = await hosts.deploy(TWO, { manifest: gone })
    hosts.net.away('h2')

    const release = await hosts.deploy(TWO, { manifest: gone })

    assert.deepEqual(
      stillThere.problems.map(({ code }) => code),
      ['release/may-run-twice'],
    )
    assert.deepEqual([release.outcome, release.problems], ['kept', []])
    assert.equal((await hosts.runs('h1'))['jobs'], 'jobs 2')
  })
})

describe('a service that changes hosts', () => {
  const MOVED = MANIFEST.replace('on: [h1, h2], needs', 'on: [h2, h3], needs')

  it('answers on every host all the while, and leaves nothing behind', async () => {
    const hosts = await live()

    const release = await hosts.deploy(TWO, { manifest: MOVED })

    assert.deepEqual([release.outcome, release.problems], ['kept', []])
    assert.deepEqual(await hosts.runs('h1'), { api: 'api 2' })
    assert.deepEqual(await hosts.runs('h3'), { api: 'api 2', web: 'web 2' })
    assert.equal(await versionsAnswering(hosts), '2')
  })

  it('is stopped on a host that is taken out of the environment', async () => {
    const hosts = await live()
    const smaller = MANIFEST.replace(', h3: h3', '').replaceAll(', h3]', ']')

    const release = await hosts.deploy(TWO, { manifest: smaller })

    assert.deepEqual([release.outcome, release.problems], ['kept', []])
    assert.deepEqual(await hosts.runs('h3'), {})
    assert.deepEqual(hosts.peers('edge', 'api'), ['h1', 'h2'])
  })
})

describe('a rolling release', () => {
  const ROLLING = MANIFEST.replace('branch: main,', 'branch: main, strategy: { rolling: { batch: 1 } },')

  it('takes one host after the other', async () => {
    const hosts = await live(ROLLING)

    const release = await hosts.deploy(TWO, { manifest: ROLLING })

    assert.deepEqual([release.outcome, release.problems], ['kept', []])
    assert.deepEqual(release.plan?.batches, [['h1'], ['h2'], ['h3', 'edge']])
    assert.equal(await versionsAnswering(hosts), '2')
    assert.equal(hosts.mostAtOnce.get('jobs'), 1)
  })

  it('harms one host at most, which goes back (R14)', async () => {
    const touched = new Set<string>()
    const hosts = await severalHosts({
      manifest: ROLLING,
      behave: (spec, host) => {
        if (!spec.start.endsWith(' 2')) return {}
        touched.add(host)
        return { answer: () => ({ status: 500, body: 'worn out' }), readyAfter: 0 }
      },
    })
    await hosts.deploy(ONE)

    const release = await hosts.deploy(TWO)

    assert.equal(release.outcome, 'restored')
    assert.deepEqual([...touched], ['h1'])
    assert.equal(await versionsAnswering(hosts), '1')
  })

  it('takes back the batches before the one that fails', async () => {
    const hosts = await severalHosts({
      manifest: ROLLING,
      behave: (spec, host) => (host === 'h3' && spec.start === 'run api 2' ? { exitsAfter: 0 } : {}),
    })
    await hosts.deploy(ONE)

    const release = await hosts.deploy(TWO)

    assert.equal(release.outcome, 'restored')
    assert.equal(await versionsOn(hosts, HOSTS), '1')
    assert.equal(await versionsAnswering(hosts), '1')
  })
})
