import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openLab } from '../../lab/lab.ts'
import type { Lab } from '../../lab/lab.ts'
import type { LabHost } from '../../lab/lab-host.ts'
import { whatIsMissing } from '../../lab/needs.ts'
import { makeReady } from '../../lab/ready-host.ts'
import { formatProblem } from '../../src/problem/problem.ts'
import type { Release } from '../../src/release/records.ts'
import { carryOut, ENVIRONMENT } from './bench.ts'
import { hostsBench } from './hosts-bench.ts'
import type { HostsBench } from './hosts-bench.ts'

const missing = await whatIsMissing()
const skip = missing.length > 0 ? `the lab cannot run: ${missing.join('; ')}` : false

/** `slot` is the live one of a service, `artifact` its artifact, `values` its environment file. */
const NAMES = `cd /srv/drover/small/test
live() { basename $(ls router/live/$1.*) | sed 's/.*[.]//'; }
slot() { echo slots/$1/$(live $1); }
said() { sed -n "s/.*\\"$2\\":\\"\\([^\\"]*\\).*/\\1/p" $(slot $1)/slot.json; }
artifact() { echo artifacts/$1/$(said $1 artifact); }
values() { echo env/$1/$(said $1 config).env; }
unit() { echo /etc/systemd/system/small-test-$1@.service; }
write() { chmod u+w $1; echo "$2" >>$1; }
`

describe('what a person has done to a host', { skip, concurrency: false }, () => {
  let lab: Lab
  let machine: LabHost
  before(async () => {
    lab = await openLab({ hosts: 1 })
    ;[machine] = lab.hosts as [LabHost]
    await makeReady(machine)
  })
  after(() => lab?.close())

  it('is found, is in the plan, and is put right by a deploy of the same commit', { timeout: 300_000 }, async (t) => {
    const bench = await hostsBench(t, { machines: [machine] })
    const first = await carryOut(bench.control, bench.deploy)
    const before = await drift(bench)

    await byHand(`echo 'MemoryMax=9G' >>$(unit config)
write $(values gateway) 'A="b"'
write $(artifact shop)/services/shop/package.json ' '
write $(slot jobs)/run '# by hand'
echo '# by hand' >>router/$(readlink router/nginx.conf)
rm /etc/systemd/system/multi-user.target.wants/small-test.target
systemctl daemon-reload`)
    const found = await drift(bench)
    const plan = await planOf(bench)
    const second = await carryOut(bench.control, bench.deploy)
    const after = [await drift(bench), await drift(bench, true)]
    const third = await carryOut(bench.control, bench.deploy)

    assert.deepEqual([first, second, third].map(ending), ['kept', 'kept', 'unchanged'])
    assert.deepEqual([before, ...after], [[], [], []])
    assert.deepEqual(found, [
      'boot - nothing of it would come back after a reboot',
      'router-edited - a file of the router is not as it was laid',
      'unit-edited config its unit was edited',
      'environment gateway its environment file was edited',
      'slot-edited jobs its launcher was edited',
      'artifact shop its artifact was altered',
    ])
    assert.deepEqual(plan, [
      'change config: its unit was edited on h1',
      'change gateway: its environment file was edited on h1',
      'change jobs: its launcher was edited on h1',
      'change shop: its artifact was altered on h1',
      'h1: a file of the router is not as it was laid, nothing of it would come back after a reboot',
    ])
    assert.deepEqual(await versions(bench), { config: '1', gateway: '1', shop: '1', jobs: '1' })
  })

  it('is put right by a heal, without anything new being released', { timeout: 300_000 }, async (t) => {
    const bench = await hostsBench(t, { machines: [machine] })
    await carryOut(bench.control, bench.deploy)
    await bench.fleet.commit({ shop: { version: '2' } })

    await byHand(`systemctl stop small-test-shop@$(live shop).service small-test-router.service
echo '# by hand' >>/etc/systemd/system/small-test-router.service
write /etc/drover/environments/small-test-config@$(live config).env 'A="b"'
write $(values gateway) 'A="b"'
rm router/live/jobs.*`)
    const found = await drift(bench)
    const { release } = await carryOut(bench.control, { goal: 'heal', host: 'h1' })
    const after = await drift(bench)

    assert.deepEqual(found, [
      'router-down - the router does not run',
      'router-edited - a file of the router is not as it was laid',
      'router-edited - a file of the router is not as it was laid',
      'environment config the environment that systemd starts it with is not the one that was laid',
      'environment gateway its environment file was edited',
      'slot-down shop its live slot is crashed',
    ])
    assert.equal(ending({ release }), 'kept')
    assert.deepEqual(after, [])
    assert.deepEqual(await versions(bench), { config: '1', gateway: '1', shop: '1', jobs: '1' })
    assert.equal(
      await bench.shell('h1', "grep -c '^# by hand' /etc/systemd/system/small-test-*.service || true"),
      NO_HANDS,
    )
  })

  it(
    'is found where it cannot be seen without reading, and where only a person can help',
    { timeout: 300_000 },
    async (t) => {
      const bench = await hostsBench(t, { machines: [machine] })
      await carryOut(bench.control, bench.deploy)

      await byHand(`file=$(artifact shop)/services/shop/package.json
touch -r $file /var/tmp/time && chmod u+w $file
printf x | dd of=$file bs=1 seek=5 conv=notrunc status=none
chmod u-w $file && touch -r /var/tmp/time $file`)
      await byHand(`mkdir $(unit shop).d && printf '[Service]\\nNice=5\\n' >$(unit shop).d/nice.conf
printf '[Timer]\\n' >/etc/systemd/system/small-test-backup.timer
systemctl daemon-reload`)
      const cheap = await drift(bench)
      const deep = await drift(bench, true)
      const { release } = await carryOut(bench.control, bench.deploy)
      await byHand(
        'rm -r $(unit shop).d /etc/systemd/system/small-test-backup.timer $(artifact shop); systemctl daemon-reload',
      )

      assert.deepEqual(cheap, [
        'unit-foreign - a unit that Drover did not make bears a name of small/test',
        'unit-override shop its unit is overridden',
      ])
      assert.deepEqual(deep, [...cheap.slice(0, 1), 'artifact shop its artifact was altered', ...cheap.slice(1)])
      assert.equal(ending({ release }), 'unchanged')
    },
  )

  it('cannot be told of a host that is away', { timeout: 300_000 }, async (t) => {
    const bench = await hostsBench(t, { machines: [machine] })
    await carryOut(bench.control, bench.deploy)

    await machine.networkCut()
    const looked = bench.control.controlPlane.drift(ENVIRONMENT, { deep: false })
    await looked.catch(() => undefined)
    await machine.networkHeal()
    const { hosts } = await looked

    assert.deepEqual(
      hosts.map(({ reachable, findings }) => [reachable, findings]),
      [[false, []]],
    )
    assert.match(hosts[0]?.problem ?? '', /host h1/)
  })

  /** As root on the host. */
  function byHand(line: string): Promise<string> {
    return machine.inside(['sh', '-ec', `${NAMES}${line}`])
  }
})

const NO_HANDS = ['config@', 'gateway@', 'jobs@', 'router', 'shop@']
  .map((name) => `/etc/systemd/system/small-test-${name}.service:0\n`)
  .join('')

/** By kind, service and what; that `status` says the same is a part of it. */
async function drift({ control: { controlPlane } }: HostsBench, deep = false): Promise<string[]> {
  const { hosts } = await controlPlane.drift(ENVIRONMENT, { deep })
  const findings = hosts.flatMap((host) => host.findings)
  if (!deep) {
    const { hosts: seen } = await controlPlane.status(ENVIRONMENT)
    assert.deepEqual(
      seen.map((host) => host.drift),
      [findings],
    )
  }
  return findings.map(({ kind, service = '-', what }) => `${kind} ${service} ${what}`)
}

async function planOf({ control, deploy }: HostsBench): Promise<string[]> {
  const { services, repairs = [] } = await control.controlPlane.plan(ENVIRONMENT, { order: deploy, actor: 'test' })
  return [
    ...services.map(({ service, change, reasons }) => `${change} ${service}: ${reasons.join(', ')}`),
    ...repairs.map(({ host, reasons }) => `${host}: ${reasons.join(', ')}`),
  ]
}

async function versions(bench: HostsBench): Promise<Record<string, string | undefined>> {
  const services = ['config', 'gateway', 'shop', 'jobs']
  const found = services.map(async (service) => [service, (await bench.ask('h1', service)).version] as const)
  return Object.fromEntries(await Promise.all(found))
}

function ending({ release: { outcome, problems } }: { readonly release: Release }): string {
  return [outcome, ...problems.map(formatProblem)].join(' ')
}
