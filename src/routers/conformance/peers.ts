import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { freePort } from '../../../test/free-ports.ts'
import { Secret } from '../../secrets/secret.ts'
import type { Peer, PeerRoute, RouteChoice, ServiceTraffic } from '../router.ts'
import { ask, echoOf, refusalOf, trialSlot, whoAnswers } from '../trial.ts'
import type { Behaviour, Trial, TrialService, TrialSlot } from '../trial.ts'
import type { Stage } from './stage.ts'

const TOKEN = 'Peers0123456789abcdef'

/** Any Linux machine answers to it: the address of its own that another host would use. */
const ADDRESS = '127.0.0.2'

/** A service that runs on other hosts: who is asked, who is asked next, and where a request is counted. */
export function peersConformance(stage: Stage): void {
  const others = new Map<string, Promise<Far>>()
  /** Another host that runs the service `away`, in slot a unless a test says otherwise. */
  async function far(label: 'one' | 'two', choice: RouteChoice = { slot: 'a' }): Promise<Far> {
    const made = others.get(label) ?? farAway(stage, label)
    others.set(label, made)
    const other = await made
    await other.trial.live(stage.nameOfSet(), { away: choice })
    return other
  }

  test('requests for a service of other hosts spread over them, whatever is live here', async () => {
    const [one, two] = [await far('one'), await far('two')]
    await stage.live({ shop: 'a' })
    const port = await near(stage, [one.peer, two.peer])

    const replies = []
    for (let i = 0; i < 6; i++) replies.push(echoOf(await ask(port, { method: 'POST', body: `body ${i}` })))

    assert.deepEqual(new Set(replies.map(({ slot }) => slot)), new Set(['one.a', 'two.a']))
    assert.deepEqual(
      replies.map(({ body }) => body),
      [0, 1, 2, 3, 4, 5].map((i) => `body ${i}`),
    )
    assert.ok(replies.every(({ headers }) => headers['x-drover-peer'] === undefined))
  })

  test('a token reaches the pending set of another host', async () => {
    const { trial, peer } = await far('one')
    const port = await near(stage, [peer])
    await trial.lay(trial.set(stage.nameOfSet(), { away: { slot: 'b' } }), new Secret(TOKEN))

    const replies = [
      await whoAnswers(port, { headers: { 'x-drover-set': TOKEN } }),
      await whoAnswers(port, { headers: { 'x-drover-set': `${TOKEN}x` } }),
    ]

    assert.deepEqual(replies, ['one.b', 'one.a'])
  })

  test('a peer that is gone costs no request, whatever the method', async (context) => {
    const well = asPeer(await standIn(context, 'well'), 1)
    const port = await near(stage, [{ ...well, host: 'gone', port: await freePort() }, well])

    const replies = []
    for (let i = 0; i < 6; i++) replies.push(await whoAnswers(port, i % 2 === 0 ? {} : { method: 'POST', body: 'x' }))

    assert.deepEqual(new Set(replies), new Set(['well']))
  })

  test('a peer that fails is left alone for a while', async (context) => {
    const [broken, well] = [await standIn(context, 'broken', 502), await standIn(context, 'well')]
    const port = await near(stage, [broken, well].map(asPeer))

    const replies = []
    for (let i = 0; i < 8; i++) replies.push(await whoAnswers(port))

    assert.deepEqual(new Set(replies), new Set(['well']))
    assert.ok(broken.heard.length < 4, `it was asked ${broken.heard.length} times`)
  })

  test('when all peers fail, what is not safe to repeat is asked once, and what they say is passed on', async (context) => {
    const both = [await standIn(context, 'one', 503), await standIn(context, 'two', 503)]
    const port = await near(stage, both.map(asPeer))
    const heard = (): number => both.reduce((sum, one) => sum + one.heard.length, 0)

    const pay = await ask(port, { method: 'POST', body: 'pay' })
    const paid = heard()
    const read = await ask(port)

    assert.deepEqual([pay.status, read.status], [503, 503])
    assert.equal(paid, 1)
    assert.ok(heard() > 2)
    for (const one of both) one.behaviour = 200
    assert.equal((await ask(port)).status, 200, 'they are asked again as soon as nobody else is left')
  })

  test('a failure of the service itself is passed on and no other host hears of it', async (context) => {
    const both = [await standIn(context, 'one', 500), await standIn(context, 'two', 500)]
    const port = await near(stage, both.map(asPeer))

    const reply = await ask(port)

    assert.equal(reply.status, 500)
    assert.equal(both.flatMap(({ heard }) => heard).length, 1)
  })

  test('over all hosts a request is counted once, with what another slot or host had to rescue', async () => {
    const { trial, service, peer } = await far('one', { slot: 'b', shielded: true })
    const from = Date.now()
    const lonely = await peerRoute('lonely', [{ ...peer, port: await freePort() }])
    const port = await near(stage, [peer], [lonely])

    await ask(port)
    service.b.behaviour = 500
    const rescued = await whoAnswers(port)
    const failed = await ask(port, { method: 'POST', body: 'x' })
    const claimed = await ask(service.route.port, { headers: { 'x-drover-peer': '1' } })
    const gone = await ask(lonely.port)
    service.b.behaviour = 200

    const [here, there] = [
      await stage.trial.traffic(from, Date.now() + 1, 4),
      await trial.traffic(from, Date.now() + 1, 1),
    ]
    assert.deepEqual([rescued, failed.status, claimed.status, gone.status], ['one.a', 500, 200, 502])
    assert.deepEqual(counts(here['away']), { requests: 3, failed: 1, rescued: 0, slotFailures: 1 })
    assert.deepEqual(counts(there['away']), { requests: 1, failed: 0, rescued: 2, slotFailures: 2 })
    assert.deepEqual(counts(here['lonely']), { requests: 1, failed: 1, rescued: 0, slotFailures: 1 })
  })

  test('a request that the next host answered is one that was rescued', async (context) => {
    const { trial, peer } = await far('one')
    const broken = await standIn(context, 'broken', 502)
    const from = Date.now()
    const port = await near(stage, [asPeer(broken, 1), peer])

    while (broken.heard.length === 0) await ask(port)

    const here = await stage.trial.traffic(from, Date.now() + 1, 1)
    assert.deepEqual([here['away']?.failed, here['away']?.rescued], [0, 1])
    assert.deepEqual(await trial.traffic(from, Date.now() + 1, 0), {})
  })

  test('listens on an address of the host where that is asked for, and nowhere else', async (context) => {
    const plain = await stage.trial.service('plain')
    const open = await stage.trial.service('open')
    const listening = { ...open.route, listen: [ADDRESS] }
    await stage.trial.shape([stage.shop.route, stage.search.route, plain.route, listening])
    await stage.live({ plain: 'a', open: 'a' })
    const stranger = await trialSlot('stranger', 0, ADDRESS)
    context.after(() => stranger.stop())
    const other = await stage.trial.service('other')
    const { shape } = await stage.trial.observe()

    const answers = [
      await whoAnswers(open.route.port),
      await whoAnswers(open.route.port, { address: ADDRESS }),
      await whoAnswers(plain.route.port),
    ]
    const taken = { ...other.route, port: stranger.port, listen: [ADDRESS] }
    const refusedPort = await refusalOf(stage.trial.shape([listening, taken]))
    const refusedAddress = await refusalOf(stage.trial.shape([{ ...open.route, listen: ['192.0.2.1'] }]))

    await assert.rejects(ask(plain.route.port, { address: ADDRESS }), { code: 'ECONNREFUSED' })
    assert.deepEqual(answers, ['open.a', 'open.a', 'plain.a'])
    assert.match(refusedPort.message, new RegExp(`service other: port ${stranger.port} of ${ADDRESS} is taken by `))
    assert.equal(refusedAddress.problems[0]?.code, 'routers/foreign-address')
    assert.match(refusedAddress.message, /192\.0\.2\.1/)
    assert.equal((await stage.trial.observe()).shape, shape)
  })
}

interface Far {
  readonly trial: Trial
  readonly service: TrialService
  readonly peer: Peer
}

async function farAway(stage: Stage, label: string): Promise<Far> {
  const trial = await stage.elsewhere()
  const service = await trial.service('away', label)
  await trial.shape([{ ...service.route, listen: [ADDRESS] }])
  return { trial, service, peer: { host: label, address: ADDRESS, port: service.route.port } }
}

/** The port at which the service `away` of other hosts is reached on this one, and others like it. */
async function near(stage: Stage, peers: readonly Peer[], others: readonly PeerRoute[] = []): Promise<number> {
  const route = await peerRoute('away', peers)
  await stage.trial.shape([stage.shop.route, stage.search.route, route, ...others])
  return route.port
}

async function peerRoute(service: string, peers: readonly Peer[]): Promise<PeerRoute> {
  return { service, port: await freePort(), peers }
}

/** What answers like the router of another host. */
async function standIn(context: TestContext, name: string, behaviour: Behaviour = 200): Promise<TrialSlot> {
  const slot = await trialSlot(name)
  slot.behaviour = behaviour
  context.after(() => slot.stop())
  return slot
}

function asPeer({ port }: TrialSlot, index: number): Peer {
  return { host: `web-${index}`, address: '127.0.0.1', port }
}

function counts(traffic: ServiceTraffic | undefined): Omit<ServiceTraffic, 'p50Ms' | 'p99Ms'> | undefined {
  if (traffic === undefined) return undefined
  const { requests, failed, rescued, slotFailures } = traffic
  return { requests, failed, rescued, slotFailures }
}
