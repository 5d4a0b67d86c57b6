import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { whatIsMissing } from '../../../lab/needs.ts'
import { HELPER_PATH } from '../../hosts/drover-host/drover-host.ts'
import { Secret } from '../../secrets/secret.ts'
import type { SlotSpec } from '../runtime.ts'
import { fence, look, openLabSystemd, problemOf, systemdBench, until } from './systemd-bench.ts'
import type { LabSystemd, SystemdBench } from './systemd-bench.ts'

const missing = await whatIsMissing()
const skip = missing.length > 0 ? `the lab cannot run: ${missing.join('; ')}` : false

describe('systemd and what happens on a host', { skip }, () => {
  let lab: LabSystemd
  before(async () => {
    lab = await openLabSystemd()
  })
  after(() => lab?.close())

  const inside = (script: string, ...argv: string[]): Promise<string> =>
    lab.machine.inside(['sh', '-c', script, 'sh', ...argv])

  test('a service finds its variables as they are, those of the slot before those of the service', async (t) => {
    const values = ["it's", '"', '$HOME `id` \\ \\n', 'two\nlines\n', ' x ', '#;', 'é😀', '', 'a=b', '~', '%i', '\t\r']
    const own = values.map((value, index) => [`V${index}`, value] as const)
    const bench = await systemdBench(t, lab, [...own, ['BOTH', 'service']])
    const spec = await bench.spec('backend', 'serves')
    const variables = { ...spec.variables, BOTH: 'slot', LAST: "sl'ot" }

    await bench.runtime.start(bench.host, fence(bench), [{ ...spec, variables }])

    const found = await environmentOf(bench, spec)
    const expected = { ...Object.fromEntries(own), BOTH: 'slot', LAST: "sl'ot", PORT: String(spec.port) }
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, found[name]])), expected)
    assert.equal(found['DROVER_SLOT_KEY'], undefined)
    assert.equal(found['HOME'], `/var/lib/drover/${bench.fleet}-lab-backend`)
  })

  test('a secret is seen by its service and by root, and stands in no argument list, log or unit', async (t) => {
    const [secret, other] = ['s3cret-of-the-service', 's3cret-of-the-slot']
    const bench = await systemdBench(t, lab, [['PASSWORD', new Secret(secret)]])
    const spec = await bench.spec('backend', 'serves')

    const watching = inside('i=0; while [ $i -lt 400 ]; do cat /proc/[0-9]*/cmdline; i=$((i + 1)); done 2>/dev/null')
    await bench.runtime.start(bench.host, fence(bench), [
      { ...spec, variables: { ...spec.variables, TOKEN: new Secret(other) } },
    ])
    const found = await environmentOf(bench, spec)
    const unit = `${bench.fleet}-lab-backend@a.service`
    const told = [
      await watching,
      await inside('systemctl show "$1"; systemctl cat "$1"; journalctl -o json --all', unit),
      await inside('runuser -u nobody -- grep -rsE "s3cret-of" /etc /srv /var/lib /run /tmp; true'),
      await inside('runuser -u drover-services -- grep -rsE "s3cret-of" /etc /srv /var/lib /run /tmp; true'),
    ]

    assert.deepEqual([found['PASSWORD'], found['TOKEN']], [secret, other])
    assert.deepEqual(
      told.map((text) => text.includes('s3cret-of')),
      [false, false, false, false],
    )
  })

  test('a service that is killed runs again, and is counted', async (t) => {
    const bench = await systemdBench(t, lab)
    const spec = await bench.spec('backend', 'serves')
    await bench.runtime.start(bench.host, fence(bench), [spec])
    const { pid } = await look(bench, spec)

    await inside('kill -KILL "$1"', String(pid))
    await until(async () => (await look(bench, spec)).restarts === 1 && (await answers(bench, spec)))

    const report = await look(bench, spec)
    assert.equal(report.state, 'running')
    assert.notEqual(report.pid, pid)
  })

  test('after any number of crashes the good version starts', async (t) => {
    const bench = await systemdBench(t, lab)
    const weak = await bench.spec('backend', 'exits')
    await bench.runtime.start(bench.host, fence(bench), [weak])
    await until(async () => (await look(bench, weak)).restarts >= 6)
    const crashed = await look(bench, weak)

    const good = await bench.spec('backend', 'serves', { artifact: 'good' })
    await bench.runtime.start(bench.host, fence(bench), [good])

    await until(() => answers(bench, good))
    const report = await look(bench, good)
    assert.equal(crashed.artifact, 'artifact')
    assert.deepEqual([report.state, report.artifact, report.restarts], ['running', 'good', 0])
  })

  test('what crashes over and over can be stopped, and children go with their parent', async (t) => {
    const bench = await systemdBench(t, lab)
    const weak = await bench.spec('weak', 'exits')
    const parent = bench.custom('parent', '(trap "" TERM; sleep 7654 & sleep 7654 & wait) & exec sleep 7654')
    await bench.runtime.start(bench.host, fence(bench), [weak, { ...parent, drainMs: 500 }])
    await until(async () => (await inside('pgrep -cf "^sleep 7654" || true')).trim() === '3')

    await bench.runtime.stop(bench.host, fence(bench), [weak, parent])

    assert.equal((await inside('pgrep -f "^sleep 7654" || true')).trim(), '')
    assert.deepEqual([(await look(bench, weak)).state, (await look(bench, parent)).state], ['stopped', 'stopped'])
  })

  test('a service is held to its limits, and tells what it uses', async (t) => {
    const bench = await systemdBench(t, lab)
    const eater = `node -e "const kept = []; setInterval(() => kept.push(Buffer.alloc(20e6, 1)), 20)"`
    const limits = { memoryBytes: 150 * 1024 * 1024, cpuPercent: 150 }
    const greedy = { ...bench.custom('greedy', eater), limits }
    const modest = await bench.spec('modest', 'serves')
    await bench.runtime.start(bench.host, fence(bench), [greedy, { ...modest, limits }])

    await until(async () => (await look(bench, greedy)).restarts > 0)
    await until(() => answers(bench, modest))

    const report = await look(bench, modest)
    assert.equal(report.restarts, 0)
    assert.ok(
      (report.memoryBytes ?? 0) > 1e6 && (report.memoryBytes ?? 0) < limits.memoryBytes,
      `${report.memoryBytes}`,
    )
    // Kernels that mount cpu and cpuacct apart do not count it.
    assert.notEqual(report.cpuMs, 0)
    const unit = await inside('systemctl show -p CPUQuotaPerSecUSec "$1"', `${bench.fleet}-lab-greedy@a.service`)
    assert.equal(unit, 'CPUQuotaPerSecUSec=1.500000s\n')
  })

  test('an ordinary release has systemd read nothing anew; another limit does', async (t) => {
    const bench = await systemdBench(t, lab)
    const reloads = async (): Promise<string> => inside('journalctl -q -o cat _PID=1 | grep -c Reloading || true')
    const first = await bench.spec('backend', 'works', { artifact: 'one' })
    await bench.runtime.start(bench.host, fence(bench), [first])
    const counts = [await reloads()]

    await bench.runtime.start(bench.host, fence(bench, 2), [{ ...first, slot: 'b', artifact: 'two', release: 2 }])
    counts.push(await reloads())
    await bench.runtime.start(bench.host, fence(bench, 3), [
      { ...first, artifact: 'three', limits: { cpuPercent: 10 } },
    ])
    counts.push(await reloads())

    const [one, two, three] = counts.map(Number)
    assert.equal(two, one)
    assert.equal(three, (one ?? 0) + 1)
  })

  test('a unit that Drover did not make is left alone, and what to do is said', async (t) => {
    const bench = await systemdBench(t, lab)
    const path = `/etc/systemd/system/${bench.fleet}-lab-backend@.service`
    t.after(() => inside('rm -f "$1"; systemctl daemon-reload', path))
    await inside(`printf '[Service]\\nExecStart=/bin/sleep 100\\n' >"$1"`, path)
    const spec = await bench.spec('backend', 'serves')

    const problem = await problemOf(bench.runtime.start(bench.host, fence(bench), [spec]))

    assert.equal(problem.code, 'hosts/foreign-unit')
    assert.ok(problem.hint?.includes(`adopt it: stop what runs of it, put it aside (sudo mv ${path} `), problem.hint)
    assert.equal(await inside('cat "$1"', path), '[Service]\nExecStart=/bin/sleep 100\n')
    assert.notEqual((await look(bench, spec)).state, 'running')
  })

  test('a file that is missing is told, and what had to start with it is not said to run', async (t) => {
    const bench = await systemdBench(t, lab)
    const spec = { ...(await bench.spec('backend', 'serves')), environmentFile: `${bench.root}/env/none.env` }

    const problem = await problemOf(bench.runtime.start(bench.host, fence(bench), [spec]))

    assert.equal(problem.code, 'runtimes/not-begun')
    assert.match(problem.what, /none\.env/)
    assert.notEqual((await look(bench, spec)).state, 'running')
  })

  test('why systemd does not start a slot is told in its own words', async (t) => {
    const bench = await systemdBench(t, lab, [['NO_CHARACTER', '\uFFFE']])
    const spec = await bench.spec('backend', 'serves')

    const problem = await problemOf(bench.runtime.start(bench.host, fence(bench), [spec]))

    assert.equal(problem.code, 'runtimes/not-begun')
    assert.match(problem.what, /Failed to load environment files/)
  })

  const withoutRoot: readonly [what: string, breakIt: string, code: string][] = [
    ['without a rule of sudo', 'mv /etc/sudoers.d/drover /var/tmp/', 'hosts/sudo-password'],
    ['without the helper', `mv ${HELPER_PATH} /var/tmp/`, 'hosts/no-helper'],
    ['with an older helper', `sed -i 's/^VERSION=.*/VERSION=0/' ${HELPER_PATH}`, 'hosts/helper-old'],
    ['without sudo', 'mv /usr/bin/sudo /var/tmp/', 'hosts/no-sudo'],
    ['without the user of services', 'usermod -l someone drover-services', 'runtimes/no-service-user'],
  ]
  for (const [what, breakIt, code] of withoutRoot) {
    test(`a host ${what} is refused with the way to put it right`, async (t) => {
      const bench = await systemdBench(t, lab)
      const keep = `cp -p ${HELPER_PATH} /var/tmp/helper; cp -p /etc/sudoers.d/drover /var/tmp/rule`
      const mend = `cp -p /var/tmp/helper ${HELPER_PATH}; cp -p /var/tmp/rule /etc/sudoers.d/drover; [ -e /usr/bin/sudo ] || mv /var/tmp/sudo /usr/bin/
usermod -l drover-services someone 2>/dev/null; true`
      t.after(() => inside(mend))
      await inside(`${keep}; ${breakIt}`)

      const problem = await problemOf(bench.runtime.prepare(bench.host, fence(bench)))

      await inside(mend)
      assert.equal(problem.code, code)
      assert.match(problem.hint ?? '', /drover hosts bootstrap h1/)
    })
  }

  test('a host comes back from a power cut with what ran, and with nothing else', async (t) => {
    const bench = await systemdBench(t, lab)
    const [live, stopped] = [
      await bench.spec('live', 'serves', { artifact: 'new' }),
      await bench.spec('stopped', 'works'),
    ]
    const torn = await bench.spec('torn', 'works')
    await bench.runtime.start(bench.host, fence(bench), [{ ...live, artifact: 'old' }, stopped, torn])
    await bench.runtime.start(bench.host, fence(bench), [live])
    await bench.runtime.stop(bench.host, fence(bench), [stopped])
    await inside('printf "{" >"$1/slots/torn/a/slot.json"; sync', bench.root)

    await lab.machine.powerCut()
    await lab.machine.powerOn()

    await until(() => answers(bench, live))
    const reports = await bench.runtime.observe(bench.host, bench.root, [live, stopped, torn])
    assert.deepEqual(
      reports.map(({ state, artifact }) => [state, artifact]),
      [
        ['running', 'new'],
        ['stopped', 'artifact'],
        ['absent', undefined],
      ],
    )
    assert.equal((await bench.runtime.tail(bench.host, bench.root, torn, 5)).length > 0, true)
  })

  test('a start that was cut off anywhere never makes an old process look like the new one', async (t) => {
    const bench = await systemdBench(t, lab)
    const seed = Date.now() % 1_000_000
    t.diagnostic(`seed ${seed}`)
    const random = randomOf(seed)
    const port = (await bench.spec('backend', 'serves')).port
    const version = (name: string): Promise<SlotSpec> => bench.spec('backend', 'serves', { artifact: name, port })
    await bench.runtime.start(bench.host, fence(bench), [await version('v0')])

    for (let round = 1; round <= 12; round += 1) {
      const spec = await version(`v${round}`)
      const starting = bench.again().start(bench.host, fence(bench), [spec])
      const pause = (0.1 + random() * 0.9).toFixed(2)
      const cutting = inside(`sleep "$1"; kill -KILL $(pgrep -u drover -x sh); true`, pause)
      const [ended] = await Promise.allSettled([starting, cutting])
      const [report, told] = [await look(bench, spec), await answerOf(bench, port)]
      if (report.state === 'running' && told !== undefined) assert.equal(report.artifact, told, `round ${round}`)
      if (ended.status === 'fulfilled') assert.equal(report.artifact, `v${round}`)
    }
    const last = await version('last')
    await bench.again().start(bench.host, fence(bench), [last])

    await until(async () => (await answerOf(bench, port)) === 'last')
    assert.equal((await look(bench, last)).artifact, 'last')
  })

  test('a teardown leaves no unit and no environment', async (t) => {
    const bench = await systemdBench(t, lab)
    await bench.runtime.start(bench.host, fence(bench), [await bench.spec('one', 'works')])

    await bench.runtime.teardown(bench.host, fence(bench))

    const list = 'find /etc/systemd /etc/drover/environments -name "*$1*"; systemctl list-units --all --no-legend "$1*"'
    assert.equal(await inside(list, bench.fleet), '')
  })
})

async function environmentOf(bench: SystemdBench, spec: SlotSpec): Promise<Record<string, string>> {
  await until(() => answers(bench, spec))
  const [answer] = await bench.host.probe([{ port: spec.port ?? 0, path: '/environment', timeoutMs: 2000 }])
  // Written by the server of the bench alone.
  const found: Record<string, string> = JSON.parse(answer?.body ?? '{}')
  return found
}

async function answers(bench: SystemdBench, spec: SlotSpec): Promise<boolean> {
  return (await answerOf(bench, spec.port)) !== undefined
}

/** What the slot at this port says it is, once it answers. */
async function answerOf(bench: SystemdBench, port: number | undefined): Promise<string | undefined> {
  const [answer] = await bench.host.probe([{ port: port ?? 0, path: '/', timeoutMs: 1000 }])
  return answer?.status === 200 ? answer.body : undefined
}

function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}
