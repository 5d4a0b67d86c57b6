import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openLab } from '../../lab/lab.ts'
import type { Lab } from '../../lab/lab.ts'
import type { LabHost } from '../../lab/lab-host.ts'
import { labSkip } from '../../lab/needs.ts'
import { makeReady } from '../../lab/ready-host.ts'
import { formatProblem } from '../../src/problem/problem.ts'
import type { Release } from '../../src/release/records.ts'
import { carryOut } from './bench.ts'
import { hostsBench } from './hosts-bench.ts'
import type { HostsBench } from './hosts-bench.ts'

const HOSTS = ['h1', 'h2', 'h3']
const PLACED = { jobs: 'on: [h2]' }
/** The services have room for a hundred. */
const FEW = 60

/** Hosts and configurations that are not as they should be; what users get is asked on each host. */
describe('on three hosts', { skip: await labSkip(), concurrency: false }, () => {
  let lab: Lab
  let second: LabHost
  before(async () => {
    lab = await openLab({ hosts: 3 })
    await Promise.all(lab.hosts.map(makeReady))
    second = lab.hosts[1]!
  })
  after(() => lab?.close())

  it(
    'R12: one has a full disk, before a release and in its midst: all stay as they are',
    { timeout: 600_000 },
    async (t) => {
      let filling = false
      const reach = async (point: string): Promise<void> => {
        if (filling && point === 'stage:h2.lay:before') await second.fillDisk(4096)
      }
      const bench = await hostsBench(t, { machines: lab.hosts, placed: PLACED, faults: { reach } })
      t.after(() => second.freeDisk())
      await kept(bench)
      const before = await answers(bench)
      await bench.fleet.commit({ shop: { version: '2' }, jobs: { version: '2' } })

      await second.fillDisk(4096)
      const refused = await carryOut(bench.control, bench.deploy)
      await second.freeDisk()
      filling = true
      const restored = await carryOut(bench.control, bench.deploy)
      filling = false
      const meanwhile = await answers(bench)
      await second.freeDisk()
      await kept(bench)

      assert.equal(refused.release.outcome, 'refused', endingOf(refused.release))
      assert.match(endingOf(refused.release), /^host h2 .*: has \d MB free/m)
      assert.equal(restored.release.outcome, 'restored', endingOf(restored.release))
      assert.match(endingOf(restored.release), /^host h2.*[^]*Free space/m)
      assert.deepEqual(meanwhile, before)
      assert.deepEqual(await versions(bench, 'shop'), ['2', '2', '2'])
    },
  )

  it('R12: one says that it runs what was released, and does not: all go back', { timeout: 600_000 }, async (t) => {
    const bench = await hostsBench(t, { machines: lab.hosts, placed: PLACED })
    t.after(() => withoutDropIn(second))
    await kept(bench)
    const before = await answers(bench)
    // As somebody would who wants to be sure that nobody changes the version here.
    const old = await bench.shell('h2', 'echo /srv/drover/small/test/artifacts/shop/*/services/shop')
    await second.inside(['sh', '-c', DROP_IN, 'sh', old.trim()])
    await bench.fleet.commit({ shop: { version: '2' }, config: { version: '2' } })

    const { release } = await carryOut(bench.control, bench.deploy)

    assert.equal(release.outcome, 'restored', endingOf(release))
    assert.match(endingOf(release), /^service shop on h2: runs something unknown/m)
    assert.doesNotMatch(endingOf(release), /on h[13]:/)
    assert.deepEqual(await answers(bench), before)
  })

  it('R14: a bad configuration harms one host at most, which goes back', { timeout: 600_000 }, async (t) => {
    const bench = await hostsBench(t, { machines: lab.hosts, placed: PLACED })
    await bench.fleet.rewrite((manifest) =>
      manifest.replace('{ branch: main,', '{ branch: main, strategy: { rolling: { batch: 1 } },'),
    )
    await configure(bench, JSON.stringify(Array(FEW).fill(1)))
    await kept(bench)
    const before = await answers(bench)

    await t.test('one that is not valid is refused', async () => {
      const { release } = await released(bench, (manifest) => manifest.replace('drain: 2s', 'drain: soon'))

      assert.equal(release.outcome, 'refused', endingOf(release))
      assert.match(endingOf(release), /^drover.yaml.*drain/m)
    })
    await t.test('one that services do not understand stops at the first host', async () => {
      await configure(bench, 'none')

      await stopsAtFirst(bench, 'is not valid JSON')
    })
    await t.test('one of twice the size stops at the first host', async () => {
      await configure(bench, JSON.stringify(Array(2 * FEW).fill(1)))

      await stopsAtFirst(bench, 'more settings than there is room for')
    })

    assert.deepEqual(await answers(bench), before)
  })
})

/** The first host alone has met what the services say of it. */
async function stopsAtFirst(bench: HostsBench, complaint: string): Promise<void> {
  const { release } = await carryOut(bench.control, bench.deploy)

  assert.equal(release.outcome, 'restored', endingOf(release))
  assert.match(endingOf(release), new RegExp(`^host h1.*[^]*${complaint}`, 'm'))
  const met = HOSTS.map((host) => bench.shell(host, `journalctl --no-pager -o cat | grep -c '${complaint}' || true`))
  const [first, ...others] = (await Promise.all(met)).map(Number)
  assert.ok(first! > 0)
  assert.deepEqual(others, [0, 0])
}

async function released(bench: HostsBench, change: (manifest: string) => string): Promise<{ release: Release }> {
  let was = ''
  await bench.fleet.rewrite((manifest) => change((was = manifest)))
  await bench.fleet.commit({})
  const ended = await carryOut(bench.control, bench.deploy)
  await bench.fleet.rewrite(() => was)
  await bench.fleet.commit({})
  return ended
}

/** Gives all services other SETTINGS, in the place of those of before. */
async function configure({ fleet }: HostsBench, settings: string): Promise<void> {
  await fleet.rewrite((manifest) =>
    manifest
      .replace(/, SETTINGS: ".*?"(?= \})/, '')
      .replace(/(variables: \{ JOURNAL: "[^"]*")/, `$1, SETTINGS: "${settings}"`),
  )
  await fleet.commit({})
}

async function kept({ control, deploy }: HostsBench): Promise<void> {
  const { release } = await carryOut(control, deploy)
  assert.equal(release.outcome, 'kept', endingOf(release))
}

/** Who answers for each service on each host: a process that was replaced is another one. */
async function answers(bench: HostsBench): Promise<unknown[]> {
  const all = HOSTS.flatMap((host) => bench.fleet.services.map((service) => ({ host, service })))
  return Promise.all(all.map(async ({ host, service }) => ({ host, service, ...(await bench.ask(host, service)) })))
}

function versions(bench: HostsBench, service: string): Promise<(string | undefined)[]> {
  return Promise.all(HOSTS.map(async (host) => (await bench.ask(host, service)).version))
}

function endingOf({ problems }: Release): string {
  return problems.map(formatProblem).join('\n')
}

const DROP_IN = `folder=/etc/systemd/system/small-test-shop@.service.d
mkdir -p "$folder"
printf '[Service]\\nExecStart=\\nExecStart=/bin/sh -c "cd %s && exec node server.js"\\n' "$1" >"$folder/pin.conf"
systemctl daemon-reload`

async function withoutDropIn(host: LabHost): Promise<void> {
  await host.inside(['sh', '-c', 'rm -rf /etc/systemd/system/small-test-shop@.service.d; systemctl daemon-reload'])
}
