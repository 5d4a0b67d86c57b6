import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Refusal } from '../../src/problem/problem.ts'
import { breakGlass } from '../../src/release/break-glass.ts'
import { severalHosts } from './several-hosts.ts'
import type { SeveralHosts } from './several-hosts.ts'
import { HOSTS, MANIFEST, ONE, THREE, TWO, versionsAnswering, versionsOn } from './shop.ts'

async function afterThree(): Promise<SeveralHosts> {
  const hosts = await severalHosts({ manifest: MANIFEST })
  for (const versions of [ONE, TWO, THREE]) await hosts.deploy(versions)
  return hosts
}

describe('a host without a control plane', () => {
  it('goes back to the release before, by what it knows itself (R30)', async () => {
    const hosts = await afterThree()
    const glass = hosts.brokenGlass('h2')

    const report = await breakGlass(glass, undefined)

    assert.deepEqual([report.from, report.to], [3, 2])
    assert.deepEqual(await hosts.runs('h2'), { api: 'api 2', web: 'web 2', jobs: 'jobs 2' })
    assert.deepEqual(await hosts.answers('h2'), { api: 'api 2', web: 'web 2', jobs: 'jobs 2' })
    assert.equal(hosts.mostAtOnce.get('jobs'), 1)
    assert.equal(glass.said[0], 'host h2: release 3 is live; going back to 2')
    assert.equal(glass.said.at(-1), 'host h2: switched')
  })

  it('goes to any release that was kept on it, and no other', async () => {
    const hosts = await afterThree()

    const report = await breakGlass(hosts.brokenGlass('h1'), 1)
    const again = await breakGlass(hosts.brokenGlass('h1'), 1)
    const unknown: unknown = await breakGlass(hosts.brokenGlass('h1'), 7).catch((error: unknown) => error)

    assert.deepEqual(
      report.services.map(({ service, started }) => [service, started]),
      [
        ['api', true],
        ['web', true],
      ],
    )
    assert.ok(again.services.every(({ started }) => !started))
    assert.ok(unknown instanceof Refusal)
    assert.match(unknown.message, /knows of no release 7\n.*It knows 1, 2, 3/)
    assert.equal(await versionsOn(hosts, ['h1']), '1')
  })

  it('stays as it is when what it goes back to does not start', async () => {
    let worn = false
    const hosts = await severalHosts({
      manifest: MANIFEST,
      behave: (spec) => (worn && spec.start === 'run jobs 1' ? { exitsAfter: 0 } : {}),
    })
    await hosts.deploy(ONE)
    await hosts.deploy(TWO)
    worn = true

    const failed: unknown = await breakGlass(hosts.brokenGlass('h2'), 1).catch((error: unknown) => error)

    assert.ok(failed instanceof Refusal)
    assert.deepEqual(await hosts.runs('h2'), { api: 'api 2', web: 'web 2', jobs: 'jobs 2' })
    assert.equal(hosts.mostAtOnce.get('jobs'), 1)
  })

  it('is seen for what it runs by the control plane, whose next release brings it along', async () => {
    const hosts = await afterThree()
    await breakGlass(hosts.brokenGlass('h1'), 1)

    const { services, hosts: states } = await hosts.status()
    const release = await hosts.deploy(THREE)

    const differing = services.filter(({ differs }) => differs).map(({ service, host }) => `${service} on ${host}`)
    assert.deepEqual(differing, ['api on h1', 'web on h1'])
    assert.deepEqual(
      states.map(({ host, release: live }) => [host, live]),
      [
        ['edge', 3],
        ['h1', 1],
        ['h2', 3],
        ['h3', 3],
      ],
    )
    assert.equal(release.outcome, 'kept')
    assert.deepEqual(
      release.plan?.services
        .filter(({ change }) => change !== 'same')
        .map(({ service, reasons }) => [service, reasons]),
      [
        ['api', ['another artifact']],
        ['web', ['another artifact']],
      ],
    )
    assert.equal(await versionsOn(hosts, HOSTS), '3')
    assert.equal(await versionsAnswering(hosts), '3')
  })
})
