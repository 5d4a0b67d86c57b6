import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { whatIsMissing } from '../../../lab/needs.ts'
import type { PeerRoute, ServiceTraffic } from '../router.ts'
import { pause } from '../trial.ts'
import { startLoad } from '../trial-load.ts'
import type { Load, LoadAnswer } from '../trial-load.ts'
import { networkOf, openLabSites } from './lab-bench.ts'
import type { LabSite, LabSites } from './lab-bench.ts'
import { nginxRouter } from './nginx-router.ts'

const missing = await whatIsMissing()
const skip = missing.length > 0 ? `the lab cannot run: ${missing.join('; ')}` : false

const CLIENTS = 20
const ROUNDS = 20

/** What takes a minute and more with the kernel's own settings takes seconds. */
const IMPATIENCE = ['tcp_keepalive_time=3', 'tcp_keepalive_intvl=1', 'tcp_keepalive_probes=3', 'tcp_retries2=3']

describe('an edge host that passes requests on to two others', { skip }, () => {
  let bench: LabSites
  let edge: LabSite
  let hosts: readonly LabSite[]
  const router = () => nginxRouter({ owner: bench.owner })
  const fence = { root: '', number: 1 }

  before(async () => {
    bench = await openLabSites(3)
    const [first, ...others] = bench.sites
    assert.ok(first !== undefined)
    edge = first
    hosts = others
    fence.root = edge.root
    const settings = IMPATIENCE.map((setting) => `net.ipv4.${setting}`)
    const network = networkOf(bench.lab, edge.machine)
    await promisify(execFile)('nsenter', [`--net=${network}`, 'sysctl', '-q', '-w', ...settings])
    for (const site of hosts) {
      await site.startSlots()
      await router().shape(site.host, fence, [site.route])
      await site.live(router(), 'a')
    }
    await router().shape(edge.host, fence, [throughEdge()])
  })
  after(() => bench?.close())

  function throughEdge(): PeerRoute {
    const { service, port, listen } = edge.route
    const peers = hosts.map(({ machine }) => ({ host: machine.name, address: machine.address, port }))
    return { service, port, listen, peers }
  }

  function load(t: TestContext): Load {
    const { route, machine } = edge
    const running = startLoad({ ports: [route.port], address: machine.address, clients: CLIENTS, bodyBytes: 2_000 })
    t.after(async () => void (await running.stop()))
    return running
  }

  async function more({ answers }: Load, count: number): Promise<void> {
    const { length } = answers
    while (answers.length < length + count) await pause(5)
  }

  test('switches on both and reloads of all: no error, and every request is counted once', async (t) => {
    const from = Date.now()
    const running = load(t)

    for (let round = 1; round <= ROUNDS; round++) {
      await Promise.all(hosts.map((site) => site.live(router(), round % 2 === 0 ? 'a' : 'b')))
      await more(running, 2 * CLIENTS)
    }
    const extra = { service: 'extra', port: 3090, slotPorts: [13_090, 23_090] } as const
    for (const routes of [[extra], []]) {
      for (const site of hosts) await router().shape(site.host, fence, [site.route, ...routes])
      await router().shape(edge.host, fence, [throughEdge(), ...routes])
      await more(running, 2 * CLIENTS)
    }

    const answers = await running.stop()
    t.diagnostic(`${answers.length} answers over ${ROUNDS} switches and 6 reloads`)
    assert.deepEqual(answers.filter(failed), [])
    assert.deepEqual(new Set(answers.map(({ body }) => body)), new Set(['h2.a', 'h2.b', 'h3.a', 'h3.b']))
    const traffic = await Promise.all(bench.sites.map((site) => trafficOf(site, from)))
    const sum = (what: (one: ServiceTraffic) => number): number =>
      traffic.reduce((all, one) => all + (one === undefined ? 0 : what(one)), 0)
    assert.equal(
      sum(({ requests }) => requests),
      answers.length,
    )
    assert.equal(
      sum(({ slotFailures }) => slotFailures),
      0,
    )
  })

  test('one loses its power: what may be asked twice is answered, and it is used again when it is back', async (t) => {
    const [well, lost] = hosts
    assert.ok(well !== undefined && lost !== undefined)
    const running = load(t)
    await more(running, 2 * CLIENTS)

    await lost.machine.powerCut()
    const before = running.answers.length
    for (let round = 1; round <= ROUNDS; round++) {
      await well.live(router(), round % 2 === 0 ? 'a' : 'b')
      await more(running, 2 * CLIENTS)
    }
    await lost.machine.powerOn()
    await lost.startSlots()
    const { length } = running.answers
    while (!running.answers.slice(length).some(({ body }) => body === 'h3.a')) await pause(50)

    const answers = await running.stop()
    const lostOnes = answers.filter(failed)
    t.diagnostic(`${answers.length - before} answers after the cut; ${lostOnes.length} under way were lost`)
    assert.ok(lostOnes.every(({ method }) => method === 'POST'))
    // A client notices once: its next request goes where somebody answers.
    assert.equal(new Set(lostOnes.map(({ client }) => client)).size, lostOnes.length)
  })

  async function trafficOf(site: LabSite, from: number): Promise<ServiceTraffic | undefined> {
    // nginx writes its line after the answer has gone out.
    await pause(500)
    return (await router().traffic(site.host, site.root, from - 1000, Date.now() + 1000))['shop']
  }
})

function failed({ status }: LoadAnswer): boolean {
  return status !== 200
}
