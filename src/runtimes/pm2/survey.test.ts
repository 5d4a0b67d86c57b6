import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { localHost } from '../../hosts/local/local-host.ts'
import { printingHost } from '../../hosts/printing/printing-host.ts'
import { readSurvey, report, survey } from './survey.ts'

const SPEC = { key: 'k', artifact: 'art', config: 'conf', release: 3, port: 4080, drainMs: 100 }

/** A root with one slot laid by hand, said to run as the test itself. */
async function laidSlot(t: TestContext, starts: (own: string) => string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "drover survey it's "))
  t.after(() => rm(root, { recursive: true }))
  const folder = join(root, 'slots', 'backend', 'b')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'slot.json'), `${JSON.stringify(SPEC)}\n`)
  const ticks = (await readFile('/proc/self/stat', 'utf8')).replace(/^.*\) /, '').split(' ')[19]
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  await writeFile(join(folder, 'starts'), starts(`2 1700000000000 ${process.pid} ${ticks} ${boot} ${SPEC.key}\n`))
  return root
}

test('a living slot is read from its files and /proc', async (t) => {
  const root = await laidSlot(t, (own) => own)

  const { slots } = await survey(localHost(), root)

  assert.deepEqual(slots.map(report), [
    {
      service: 'backend',
      slot: 'b',
      state: 'running',
      pid: process.pid,
      artifact: 'art',
      config: 'conf',
      release: 3,
      port: 4080,
      restarts: 1,
      startedAt: 1_700_000_000_000,
    },
  ])
})

test('what runs is not said to be the spec that lies there when it was started from another', async (t) => {
  const root = await laidSlot(t, (own) => own.replace(/ k\n$/, ' before\n'))

  const { slots } = await survey(localHost(), root)

  assert.deepEqual(
    slots.map(report).map(({ state, artifact, config, release }) => [state, artifact, config, release]),
    [['running', undefined, undefined, undefined]],
  )
})

const deaths: readonly [what: string, starts: (own: string) => string][] = [
  ['another start time', (own) => own.replace(/ (\d+) ([0-9a-f-]+) k\n$/, ' 1$1 $2 k\n')],
  ['another boot', (own) => own.replace(/[0-9a-f-]+ k\n$/, 'another k\n')],
  ['a pid that is free', (own) => own.replace(` ${process.pid} `, ' 4194305 ')],
  ['a pid that is none', () => '1 1 ../self 1 x\n'],
  ['a torn file', () => '1 17000'],
]
for (const [what, starts] of deaths) {
  test(`a slot with ${what} does not live`, async (t) => {
    const root = await laidSlot(t, starts)

    const { slots } = await survey(localHost(), root)

    assert.deepEqual(
      slots.map((slot) => [slot.alive, report(slot).state]),
      [[false, 'crashed']],
    )
  })
}

test('a slot whose slot.json is torn was never laid', async (t) => {
  const root = await laidSlot(t, (own) => own)
  await writeFile(join(root, 'slots', 'backend', 'b', 'slot.json'), '{"key":\n')

  assert.deepEqual((await survey(localHost(), root)).slots, [])
})

test('who listens on a port is told, and whose slot it is', async (t) => {
  const root = await laidSlot(t, (own) => own)
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')

  const { listeners } = await survey(localHost(), root, { slots: [], ports: [address.port, 1] })

  const program = (await readFile('/proc/self/comm', 'utf8')).trim()
  assert.deepEqual(listeners, [
    { port: address.port, pid: process.pid, program, slotFolder: '', folder: process.cwd() },
  ])
})

test('what a survey prints is read', () => {
  const text = [
    'slot backend a 1 1 1 0 3 1700000000000 77 k',
    JSON.stringify(SPEC),
    'slot broken a 0 0 0 1 1 1 1 k',
    'no json',
    'port 4080 99 node server',
    '/srv/slots/backend/a',
    '/srv',
    'port 4081 0 unknown',
    '',
    '',
    '',
  ].join('\n')

  assert.deepEqual(readSurvey(text), {
    slots: [
      {
        service: 'backend',
        slot: 'a',
        spec: SPEC,
        stop: true,
        registered: true,
        halted: true,
        alive: false,
        starts: 3,
        startedAt: 1_700_000_000_000,
        pid: 77,
        started: 'k',
      },
    ],
    listeners: [
      { port: 4080, pid: 99, program: 'node server', slotFolder: '/srv/slots/backend/a', folder: '/srv' },
      { port: 4081, pid: undefined, program: 'unknown', slotFolder: '', folder: '' },
    ],
  })
})

test('a host where it cannot be done is a refusal', async () => {
  const host = printingHost({ answer: () => ({ ok: false, exitCode: 2, failure: 'exit', stderr: 'no /proc\n' }) })

  await assert.rejects(() => survey(host, '/srv'), /cannot look at the slots below \/srv \(exit\): no \/proc/)
})
