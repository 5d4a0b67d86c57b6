import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { whatIsMissing } from '../../../lab/needs.ts'
import { HELPER_PATH } from '../../hosts/drover-host/drover-host.ts'
import { pause, refusalOf } from '../trial.ts'
import { networkOf, openLabSites } from './lab-bench.ts'
import type { LabSite, LabSites } from './lab-bench.ts'
import { nginxRouter } from './nginx-router.ts'

const missing = await whatIsMissing()
const skip = missing.length > 0 ? `the lab cannot run: ${missing.join('; ')}` : false
const UNIT = 'shop-lab-router.service'

describe('nginx on a host of the lab', { skip }, () => {
  let bench: LabSites
  let site: LabSite
  before(async () => {
    bench = await openLabSites(1)
    assert.ok(bench.sites[0] !== undefined)
    site = bench.sites[0]
    await site.startSlots()
  })
  after(() => bench?.close())

  const inside = (line: string): Promise<string> => site.machine.inside(['sh', '-c', line])

  test('keeps every promise of a router', async () => {
    const file = join(import.meta.dirname, 'lab-conformance.ts')
    const { name, address, ssh } = site.machine
    const reporter = join(import.meta.dirname, '../../../test/closing-line.ts')
    const argv = [
      `--net=${networkOf(bench.lab, site.machine)}`,
      process.execPath,
      '--test',
      `--test-reporter=${reporter}`,
      file,
    ]
    // Without the mark of this runner, or the child takes itself for a part of it and says nothing.
    const { NODE_TEST_CONTEXT: _, ...own } = process.env

    const run = await promisify(execFile)('nsenter', argv, {
      env: { ...own, LAB_HOST: JSON.stringify({ name, address, ssh }) },
    }).catch((error: Error & { stdout?: string }) => ({ stdout: error.stdout ?? error.message }))

    assert.match(run.stdout, /^[1-9]\d* passed, 0 failed$/m, run.stdout)
  })

  describe('with systemd', () => {
    const fence = (number = 1): { root: string; number: number } => ({ root: site.root, number })
    const router = () => nginxRouter({ closingMs: 20, owner: bench.owner })
    beforeEach(async () => {
      await router().shape(site.host, fence(), [site.route])
      await site.live(router(), 'a')
    })

    test('runs as a unit, as the user of Drover, and is changed without root', async () => {
      const first = await inside(`systemctl show -p MainPID --value ${UNIT}`)

      const { changed } = await router().shape(site.host, fence(), [])
      await router().shape(site.host, fence(), [site.route])
      const again = await router().shape(site.host, fence(), [site.route])

      assert.deepEqual([changed, again.changed], [true, false])
      assert.equal(await inside(`systemctl show -p MainPID --value ${UNIT}`), first)
      assert.equal(await inside(`ps -o user= -p ${first}`), 'drover\n')
      assert.equal(await site.whoAnswers(), 'h1.a')
    })

    test('a killed master is back by itself', async () => {
      const pid = await inside(`systemctl show -p MainPID --value ${UNIT}`)

      await inside(`kill -9 ${pid}`)
      while (!(await router().observe(site.host, site.root)).running) await pause(50)

      assert.equal(await site.whoAnswers(), 'h1.a')
    })

    test('what was switched to is live after a cut of the power', async () => {
      await site.live(router(), 'b')
      await site.machine.powerCut()

      await site.machine.powerOn()
      await site.startSlots()

      const report = await router().observe(site.host, site.root)
      assert.deepEqual(report.live?.choices, { shop: { slot: 'b' } })
      assert.equal(report.running, true)
      assert.equal(await site.whoAnswers(), 'h1.b')
    })

    test('a configuration that a person broke before a reboot is repaired, and nginx starts', async () => {
      const { shape } = await router().observe(site.host, site.root)
      await inside(`echo 'broken {' >>${site.root}/router/shapes/${shape}/nginx.conf; sync`)
      await site.machine.reboot()
      await site.startSlots()
      const down = await router().observe(site.host, site.root)

      await router().shape(site.host, fence(), [site.route])

      assert.equal(down.running, false)
      assert.deepEqual(down.edited, [`${site.root}/router/shapes/${shape}/nginx.conf`])
      assert.equal(await site.whoAnswers(), 'h1.a')
      assert.equal((await inside(`systemctl is-active ${UNIT}`)).trim(), 'active')
    })

    test('a port that is taken is named, and nobody tries on', async () => {
      await router().teardown(site.host, fence())
      await inside(`systemd-run --quiet --unit=stranger python3 -m http.server --bind 0.0.0.0 ${site.route.port}`)

      const refused = await refusalOf(router().shape(site.host, fence(), [site.route]))
      await inside('systemctl stop stranger')
      await router().shape(site.host, fence(), [site.route])

      assert.match(refused.message, /host h1, service shop: port 3080 is taken by /)
      assert.equal(await site.whoAnswers(), 503)
    })

    test('teardown stops it for good', async () => {
      await router().teardown(site.host, fence())

      const report = await router().observe(site.host, site.root)
      const state = await inside(`systemctl is-active ${UNIT} || true`)

      assert.deepEqual(report, { running: false })
      assert.equal(state.trim(), 'inactive')
    })

    test('where sudo lets nobody run the helper, it says what to do', async () => {
      await router().teardown(site.host, fence())
      await inside('mv /etc/sudoers.d/drover /var/tmp/drover')

      const refused = await refusalOf(router().shape(site.host, fence(), [site.route]))
      await inside('mv /var/tmp/drover /etc/sudoers.d/drover')

      assert.match(refused.message, /drover hosts bootstrap h1/)
    })

    test('without the helper it runs by itself', async () => {
      await router().teardown(site.host, fence())
      await inside(`mv ${HELPER_PATH} /var/tmp/`)

      await router().shape(site.host, fence(), [site.route])
      const state = await inside(`systemctl is-active ${UNIT} || true`)
      const { running } = await router().observe(site.host, site.root)
      await router().teardown(site.host, fence())
      await inside(`mv /var/tmp/drover-host ${HELPER_PATH}`)

      assert.deepEqual([state.trim(), running], ['inactive', true])
    })
  })

  test('requests wait in the room of this machine; when its line falls silent they are told to come again', async () => {
    const router = nginxRouter({ closingMs: 20, owner: bench.owner })
    const fence = { root: site.root, number: 1 }
    await router.shape(site.host, fence, [site.route])
    await site.live(router, { slot: 'a', hold: true })
    const room = await router.waitingRoom(site.host, site.root)
    const program = `import urllib.request, urllib.error
try: print(urllib.request.urlopen('http://127.0.0.1:3080/', b'pay', 100).read().decode())
except urllib.error.HTTPError as error: print(error.code, error.headers['Retry-After'])`
    const pay = (): Promise<string> => site.machine.inside(['python3', '-c', program])
    const waits = async (): Promise<undefined> => {
      while (room.waiting() === 0) await pause(20)
    }

    const cutOff = pay()
    await waits()
    await site.machine.networkCut()
    const refused = await cutOff
    await site.machine.networkHeal()
    while (room.waiting() > 0) await pause(20)
    // The tunnel comes back by itself; who asks before is told to come again.
    let held = pay()
    while ((await Promise.race([held, waits()])) !== undefined) held = pay()
    await site.live(router, 'b')
    room.open('shop', site.route.slotPorts[1])
    const answered = await held
    await room.close()

    assert.equal(refused.trim(), '503 1')
    assert.equal(answered.trim(), 'h1.b')
    assert.equal(await site.whoAnswers(), 'h1.b')
  })
})
