import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { Secret } from '../../secrets/secret.ts'
import { act } from '../act.ts'
import { printingHost } from './printing-host.ts'

// The conformance suite of hosts is about what commands, files and slots do. The printing host has none of them: it
// runs nothing, answers every probe with 200, lays no folder and follows no file.

test('what is asked is written down and not done', async () => {
  const host = printingHost({ name: 'web-1' })
  const root = '/drover-printed/shop'

  const outcome = await host.run({
    program: 'psql',
    argv: ['-c', 'select 1'],
    env: { PGPASSWORD: new Secret('hunter2') },
    cwd: '/srv',
  })
  const [answer] = await host.probe([{ port: 3080, path: '/health', timeoutMs: 1 }])
  await host.upload('/a', '/b')
  await act(host, { root, number: 3 }, [
    { kind: 'folder', path: `${root}/env` },
    { kind: 'write', path: `${root}/env/x`, content: new Secret('hunter2') },
    { kind: 'run', program: 'pm2', argv: ['ping'] },
  ])
  await host.close()

  assert.deepEqual(host.transcript, [
    `run PGPASSWORD='[REDACTED]' psql -c 'select 1' in /srv`,
    'probe GET 3080 /health',
    'upload /a to /b',
    `run act as release 3; make folder ${root}/env; write ${root}/env/x; run pm2 ping`,
    'close',
  ])
  assert.equal(outcome.ok, true)
  assert.equal(answer?.status, 200)
  assert.ok(!existsSync('/drover-printed'))
})

test('a test may give a command another outcome', async () => {
  const host = printingHost({
    answer: ({ program }) => (program === 'nginx' ? { ok: false, exitCode: 1, failure: 'exit' } : undefined),
  })

  const outcomes = [await host.run({ program: 'nginx', argv: [] }), await host.run({ program: 'true', argv: [] })]

  assert.deepEqual(
    outcomes.map((outcome) => [outcome.ok, outcome.exitCode]),
    [
      [false, 1],
      [true, 0],
    ],
  )
})

test('following ends with the signal', async () => {
  const abort = new AbortController()
  const host = printingHost()

  const following = host.follow(['/x'], {
    lines: 1,
    signal: abort.signal,
    onLine: () => assert.fail('there are no lines'),
  })
  abort.abort()
  await following

  assert.deepEqual(host.transcript, ['follow /x'])
})
