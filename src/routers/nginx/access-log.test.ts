import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { localHost } from '../../hosts/local/local-host.ts'
import { readTraffic } from './access-log.ts'

const START = 1_700_000_000_000

describe('traffic from the access log', () => {
  let root: string
  let folder: string
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'drover-log-'))
    folder = join(root, 'router')
    await mkdir(folder)
  })
  after(() => rm(root, { recursive: true, force: true }))

  const traffic = (from: number, to: number) => readTraffic(localHost(), root, { from, to })

  test('is empty without a log', async () => {
    assert.deepEqual(await traffic(0, START), {})
    assert.deepEqual(await readTraffic(localHost(), '/nowhere at all', { from: 0, to: START }), {})
  })

  test('counts what the slots failed and what the client saw', async () => {
    const lines = [
      line({ to: 'shop.ab', status: 200 }),
      line({ to: 'shop.ab', status: 200, statuses: '500, 200', addresses: '127.0.0.1:1, 127.0.0.1:2' }),
      line({ to: 'shop.ab', status: 500, statuses: '502, 500', addresses: '127.0.0.1:1, 127.0.0.1:2' }),
      // A connection that the slot had just given up: the same slot answers on a new one.
      line({ to: 'shop.a', status: 200, statuses: '502, 200', addresses: '127.0.0.1:1, 127.0.0.1:1' }),
      line({ to: 'shop.a', status: 404 }),
      // The client left.
      line({ to: 'shop.a', status: 499, statuses: '-' }),
      line({ to: 'shop.a', status: 200, via: 'pending' }),
      // The waiting room had closed, the live set took over.
      line({ to: 'shop.a', status: 200, statuses: '502 : 200', addresses: 'unix:hold.sock : 127.0.0.1:1' }),
      // The slot was stopped while the body was read, the live set has another one by now.
      line({ to: 'shop.b', status: 200, statuses: '502 : 200', addresses: '127.0.0.1:1 : 127.0.0.1:2' }),
      line({ to: 'odd.name_x.hold', status: 503, statuses: '502 : -', addresses: 'unix:hold.sock : -' }),
      line({ to: 'shop.none', status: 503, statuses: '-', addresses: '-' }),
      line({ to: '', status: 400, statuses: '-', addresses: '-' }),
      'nonsense',
      '',
    ]
    await writeFile(join(folder, 'access.log'), lines.join('\n'))

    const counted = await traffic(START - 1000, START + 1)

    assert.deepEqual(counted['shop'], { requests: 8, failed: 2, rescued: 1, slotFailures: 3, p50Ms: 10, p99Ms: 10 })
    assert.equal(counted['odd.name_x']?.failed, 1)
    assert.deepEqual(Object.keys(counted).sort(), ['odd.name_x', 'shop'])
  })

  test('is found by the time of somebody whose clock is another', async () => {
    const AHEAD = 3_600_000
    const now = Date.now() - AHEAD
    await writeFile(
      join(folder, 'access.log'),
      [line({ to: 'shop.a', status: 200, end: now + AHEAD - 500 }), ''].join('\n'),
    )
    const found = (from: number, to: number) => readTraffic(localHost(), root, { from, to, now })

    assert.equal((await found(now - 30_000, now + 1))['shop']?.requests, 1)
    assert.deepEqual(await found(now - 60_000, now - 30_000), {})
  })

  test('leaves a request that came through another host to that one, but for what was rescued here', async () => {
    const two = { statuses: '500, 200', addresses: '127.0.0.1:1, 127.0.0.1:2' }
    const lines = [
      line({ to: 'shop.ab', via: 'peer', status: 200 }),
      line({ to: 'shop.ab', via: 'peer', status: 200, ...two }),
      line({ to: 'shop.ab', via: 'peer', status: 500, ...two, statuses: '500, 500' }),
      line({ to: 'shop.a', status: 200 }),
      line({ to: 'auth.ab', via: 'peer', status: 200, ...two }),
      line({ to: 'search.a', via: 'peer', status: 500 }),
      line({ to: 'mail.peers', status: 200, statuses: '502, 200', addresses: '10.0.0.2:3070, 10.0.0.3:3070' }),
      line({ to: 'mail.peers', status: 502, statuses: '502', addresses: '10.0.0.2:3070' }),
    ]
    await writeFile(join(folder, 'access.log'), `${lines.join('\n')}\n`)

    const counted = await traffic(START - 1000, START + 1)

    assert.deepEqual(counted, {
      shop: { requests: 1, failed: 0, rescued: 1, slotFailures: 1, p50Ms: 10, p99Ms: 10 },
      auth: { requests: 0, failed: 0, rescued: 1, slotFailures: 1, p50Ms: 0, p99Ms: 0 },
      mail: { requests: 2, failed: 1, rescued: 1, slotFailures: 2, p50Ms: 10, p99Ms: 10 },
    })
  })

  test('takes what arrived from the first to before the last millisecond', async () => {
    const arrivals = [0, 1, 5, 9, 10].map((ms) => line({ end: START + ms + 250, durationMs: 250 }))
    await writeFile(join(folder, 'access.log'), `${arrivals.join('\n')}\n`)

    assert.equal((await traffic(START + 1, START + 10))['shop']?.requests, 3)
    assert.equal((await traffic(START + 5, START + 6))['shop']?.requests, 1)
    assert.deepEqual(await traffic(START + 6, START + 9), {})
  })

  test('finds a window anywhere in a long log and in the one before it', async () => {
    const count = 30_000
    const lines = Array.from({ length: count }, (_, i) => line({ end: START + i * 10, durationMs: i % 100 }))
    const cut = 6_000
    await writeFile(join(folder, 'access.log.1'), `${lines.slice(0, cut).join('\n')}\n`)
    await writeFile(join(folder, 'access.log'), `${lines.slice(cut).join('\n')}\n`)
    const windows = [
      [START + 290_000, START + 300_000],
      [START + 150_000, START + 151_000],
      [START + cut * 10 - 5_000, START + cut * 10 + 5_000],
      [0, START + 700_000],
    ] as const

    for (const [from, to] of windows) {
      const counted = await traffic(from, to)

      const arrivals = Array.from({ length: count }, (_, i) => START + i * 10 - (i % 100))
      assert.equal(counted['shop']?.requests, arrivals.filter((at) => at >= from && at < to).length)
    }
  })

  test('gives latencies within 2 %', async () => {
    const times = Array.from({ length: 1000 }, (_, i) => i * 3)
    await writeFile(join(folder, 'access.log'), `${times.map((durationMs) => line({ durationMs })).join('\n')}\n`)

    const { shop } = await traffic(0, START + 1)

    assert.ok(Math.abs((shop?.p50Ms ?? 0) / 1497 - 1) < 0.02, `p50 ${shop?.p50Ms}`)
    assert.ok(Math.abs((shop?.p99Ms ?? 0) / 2967 - 1) < 0.02, `p99 ${shop?.p99Ms}`)
  })
})

interface Line {
  readonly end?: number
  readonly durationMs?: number
  readonly to?: string
  readonly via?: string
  readonly status?: number
  readonly statuses?: string
  readonly addresses?: string
}

function line(fields: Line): string {
  const { end = START, durationMs = 10, to = 'shop.a', via = 'live', status = 200 } = fields
  const { statuses = String(status), addresses = '127.0.0.1:1' } = fields
  const times = [end, durationMs].map((ms) => (ms / 1000).toFixed(3))
  return [...times, to, via, status, statuses, addresses, 'GET', '/path'].join('\t')
}
