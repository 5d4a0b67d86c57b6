import assert from 'node:assert/strict'
import type { Cut } from './net.ts'
import { severalHosts } from './several-hosts.ts'
import { HOSTS, MANIFEST, ONE, TWO, marked, versionsAnswering, versionsOn } from './shop.ts'

/** Each of these fleets is in memory and waits for the clock most of the time. */
const AT_ONCE = 8

/** Some side by side; the first that fails ends it. */
export async function each<T>(cases: readonly T[], carryOut: (one: T) => Promise<void>): Promise<void> {
  const left = cases.values()
  const lane = async (): Promise<void> => {
    for (const one of left) await carryOut(one)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

/** Every place at which a host can be lost in a second release, or in its sweep. */
export async function allCuts(): Promise<Cut[]> {
  const trial = await severalHosts({ manifest: MANIFEST })
  await trial.deploy(ONE)
  const before = HOSTS.map((host) => trial.net.asked(host))
  await trial.deploy(TWO)
  return HOSTS.flatMap((host, index) => {
    const [from, to] = [before[index]!, trial.net.asked(host)]
    const places = Array.from({ length: to - from }, (_, at) => from + at + 1)
    return places.flatMap((at): Cut[] => [
      { host, at, when: 'before' },
      { host, at, when: 'after' },
    ])
  })
}

/**
 * Loses a host for good in the middle of a release: the others are wholly old or wholly new, as the release says. When
 * it is back, it serves nobody else before it runs what they run, and Drover itself leaves nothing else running there.
 */
export async function loseHost(cut: Cut): Promise<void> {
  const hosts = await severalHosts({ manifest: MANIFEST })
  await hosts.deploy(ONE)
  hosts.net.cut(cut)

  const release = await hosts.deploy(TWO)

  const problems = JSON.stringify(release.problems)
  const about = `${JSON.stringify(cut)} ended ${release.outcome}: ${problems}`
  const others = HOSTS.filter((host) => host !== cut.host)
  const wanted = release.outcome === 'kept' ? '2' : '1'
  assert.equal(await versionsOn(hosts, others), wanted, about)
  assert.notEqual(release.outcome, 'broken', about)
  if (release.outcome !== 'kept') assert.ok(problems.includes(`host ${cut.host}`), about)

  const isAway = hosts.net.isAway(cut.host)
  hosts.net.back(cut.host)
  const marks = await marked(hosts)
  const own = await versionsOn(hosts, [cut.host])
  if (own !== '' && own !== wanted) assert.ok(cut.host in marks, about)
  if (cut.host in marks) {
    for (const host of others) assert.ok(!hosts.peers(host, 'api').includes(cut.host), about)
  }
  await hosts.upkeep(0)
  const beside = await Promise.all(HOSTS.map((host) => hosts.beside(host)))
  assert.deepEqual(beside.flat(), [], about)
  if (isAway) {
    assert.equal(await versionsOn(hosts, HOSTS), wanted, about)
    assert.equal(await versionsAnswering(hosts), wanted, about)
    assert.deepEqual(await marked(hosts), {}, about)
  }
  assert.equal(hosts.mostAtOnce.get('jobs'), 1, about)
}

/** Breaks one connection for a moment: the release does not mind. */
export async function blink(cut: Cut): Promise<void> {
  const hosts = await severalHosts({ manifest: MANIFEST })
  await hosts.deploy(ONE)
  hosts.net.cut({ ...cut, briefly: true })

  const release = await hosts.deploy(TWO)

  const about = `${JSON.stringify(cut)}: ${JSON.stringify(release.problems)}`
  assert.equal(release.outcome, 'kept', about)
  assert.equal(await versionsOn(hosts, HOSTS), '2', about)
  assert.equal(hosts.mostAtOnce.get('jobs'), 1, about)
}

/** Kills Drover when so much has been asked in a release; what it had under way goes on in its stead. */
export async function crash(afterAsking: number, fails: boolean): Promise<void> {
  const hosts = await severalHosts({
    manifest: MANIFEST,
    behave: (spec, host) => (fails && host === 'h3' && spec.start.endsWith(' 2') ? { exitsAfter: 0 } : {}),
  })
  await hosts.deploy(ONE)
  hosts.net.once(hosts.net.asked() + afterAsking, () => hosts.crash())

  const release = await hosts.deploy(TWO)

  const about = `after ${afterAsking} ended ${release.outcome}: ${JSON.stringify(release.problems)}`
  assert.equal(release.outcome, fails ? 'restored' : 'kept', about)
  assert.equal(await versionsOn(hosts, HOSTS), fails ? '1' : '2', about)
  assert.equal(await versionsAnswering(hosts), fails ? '1' : '2', about)
  assert.equal(hosts.mostAtOnce.get('jobs'), 1, about)
}
