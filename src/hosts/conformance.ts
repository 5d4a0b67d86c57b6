import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { appendFile, readFile, rename, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../test/free-ports.ts'
import { Secret } from '../secrets/secret.ts'
import { scratch } from './conformance-scratch.ts'
import type { Make } from './conformance-scratch.ts'
import { uploadSuite } from './conformance-upload.ts'

/**
 * What every driver of the port {@link Host} has to pass. `make` gives a host whose files and loopback are this
 * machine's, or appear here as if they were.
 */
export function hostConformance(name: string, make: Make): void {
  describe(`${name}: run`, () => runSuite(make))
  describe(`${name}: probe`, () => probeSuite(make))
  describe(`${name}: upload`, () => uploadSuite(make))
  describe(`${name}: follow`, () => followSuite(make))
}

function runSuite(make: Make): void {
  test('gives output, exit code and duration of a success', async (t) => {
    const host = await make(t)

    const outcome = await host.run({ program: 'sh', argv: ['-c', 'echo out; echo err >&2'] })

    assert.deepEqual(
      { ...outcome, durationMs: 0 },
      {
        ok: true,
        exitCode: 0,
        signal: undefined,
        stdout: 'out\n',
        stderr: 'err\n',
        durationMs: 0,
      },
    )
    assert.ok(outcome.durationMs > 0)
  })

  test('gives a failure the same shape', async (t) => {
    const host = await make(t)

    const outcome = await host.run({ program: 'sh', argv: ['-c', 'echo out; exit 3'] })

    assert.deepEqual(
      { ...outcome, durationMs: 0 },
      {
        ok: false,
        exitCode: 3,
        signal: undefined,
        stdout: 'out\n',
        stderr: '',
        durationMs: 0,
        failure: 'exit',
      },
    )
  })

  test('tells a missing program and a missing working folder', async (t) => {
    const host = await make(t)

    const program = await host.run({ program: 'drover-no-such-program', argv: [] })
    const folder = await host.run({ program: 'true', argv: [], cwd: '/drover/no/such/folder' })

    assert.deepEqual(
      [program.failure, program.exitCode, folder.failure, folder.exitCode],
      ['not-found', undefined, 'not-found', undefined],
    )
    assert.match(program.stderr, /drover-no-such-program/)
    assert.match(folder.stderr, /\/drover\/no\/such\/folder/)
  })

  test('tells a death by signal', async (t) => {
    const host = await make(t)

    const outcome = await host.run({ program: 'sh', argv: ['-c', 'kill -KILL $$'] })

    assert.deepEqual([outcome.ok, outcome.failure, outcome.signal], [false, 'signal', 'SIGKILL'])
  })

  test('hands arguments, input, variables and working folder over as they are', async (t) => {
    const host = await make(t)
    const folder = await scratch(t, "with blank & it's")
    const hostile = ['', ' ', "'", '"$(id)"', '\\', '*', '\n', '-n', 'é😀']

    const outcome = await host.run({
      program: 'sh',
      argv: ['-c', 'for a; do printf "<%s>" "$a"; done; printf "<%s><%s>" "$A" "$B"; pwd; cat', 'sh', ...hostile],
      cwd: folder,
      env: { A: "it's $HOME", B: new Secret('s e') },
      stdin: new Secret('input\n'),
    })

    assert.equal(outcome.stdout, `${hostile.map((word) => `<${word}>`).join('')}<it's $HOME><s e>${folder}\ninput\n`)
  })

  test("passes on none of Drover's own variables but the harmless ones", async (t) => {
    const host = await make(t)
    process.env['DROVER_TEST_CREDENTIAL'] = 'x'
    t.after(() => delete process.env['DROVER_TEST_CREDENTIAL'])

    const outcome = await host.run({ program: 'env', argv: [] })

    assert.doesNotMatch(outcome.stdout, /DROVER_TEST_CREDENTIAL/)
    assert.match(outcome.stdout, /^PATH=/m)
    assert.match(outcome.stdout, /^HOME=/m)
  })

  test('tells lines while the command runs', async (t) => {
    const host = await make(t)
    const folder = await scratch(t)
    const lines: string[] = []

    const outcome = await host.run(
      {
        program: 'sh',
        argv: ['-c', 'echo one; while [ ! -e "$1/go" ]; do sleep 0.02; done; printf two >&2', 'sh', folder],
      },
      {
        onLine: (line, stream) => {
          lines.push(`${stream} ${line}`)
          if (line === 'one') {
            void writeFile(join(folder, 'go'), '')
          }
        },
      },
    )

    assert.ok(outcome.ok)
    assert.deepEqual(lines, ['stdout one', 'stderr two'])
  })

  test('keeps head and tail of a long output', async (t) => {
    const host = await make(t)

    const outcome = await host.run(
      { program: 'sh', argv: ['-c', 'echo first; yes | head -c 3000000; echo last'] },
      { maxOutputBytes: 1000 },
    )

    assert.match(outcome.stdout, /^first\n/)
    assert.match(outcome.stdout, /last\n$/)
    assert.match(outcome.stdout, /bytes left out/)
    assert.ok(outcome.stdout.length < 1100)
  })

  test('survives a program that does not read its input', async (t) => {
    const host = await make(t)

    const outcome = await host.run({ program: 'true', argv: [], stdin: 'x'.repeat(1_000_000) })

    assert.ok(outcome.ok)
  })

  test('returns though a daemon left behind holds the output open', async (t) => {
    const host = await make(t)

    const outcome = await host.run({ program: 'sh', argv: ['-c', 'sleep 60 & echo $!'] }, { timeoutMs: 30_000 })

    process.kill(Number(outcome.stdout))
    assert.ok(outcome.ok)
  })

  for (const end of ['timeout', 'aborted'] as const) {
    test(`leaves nothing running after ${end}, not even what ignores SIGTERM`, { timeout: 60_000 }, async (t) => {
      const host = await make(t)
      const folder = await scratch(t)
      const abort = new AbortController()
      const script =
        'trap "" TERM; sh -c \'trap "" TERM; echo $$ >"$1/child"; sleep 600\' sh "$1" & echo $$ >"$1/parent"; wait'
      const running = host.run(
        { program: 'sh', argv: ['-c', script, 'sh', folder] },
        { signal: abort.signal, timeoutMs: end === 'timeout' ? 700 : 60_000 },
      )
      await until(() => existsSync(join(folder, 'child')) && existsSync(join(folder, 'parent')))

      if (end === 'aborted') {
        abort.abort()
      }
      const outcome = await running

      assert.equal(outcome.failure, end)
      for (const who of ['child', 'parent']) {
        const pid = (await readFile(join(folder, who), 'utf8')).trim()
        assert.ok(await isGone(pid), `${who} ${pid} lives`)
      }
    })
  }

  test('starts nothing when it was aborted before', async (t) => {
    const host = await make(t)
    const folder = await scratch(t)

    const outcome = await host.run({ program: 'touch', argv: [join(folder, 'x')] }, { signal: AbortSignal.abort() })

    assert.equal(outcome.failure, 'aborted')
    assert.ok(!existsSync(join(folder, 'x')))
  })
}

function probeSuite(make: Make): void {
  test('answers in the order of the questions, whatever the slots do', async (t) => {
    const host = await make(t)
    const body = 'x'.repeat(10_000)
    const good = await listen(t, (request) => `HTTP/1.1 201 Created\r\n\r\n${request.split('\r\n')[0]}`)
    const large = await listen(t, () => `HTTP/1.1 500 Oops\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    const garbage = await listen(t, () => 'SSH-2.0-OpenSSH\r\n')
    const mute = await listen(t, () => undefined)
    const closing = await listen(t, () => '')
    const free = await freePort()
    const ports = [good, large, garbage, mute, closing, free]

    const answers = await host.probe(ports.map((port) => ({ port, path: '/health?x=1', timeoutMs: 500 })))

    assert.deepEqual(
      answers.map((answer) => answer.status),
      [201, 500, undefined, undefined, undefined, undefined],
    )
    assert.equal(answers[0]?.body, 'GET /health?x=1 HTTP/1.1')
    assert.equal(answers[1]?.body, body.slice(0, 4096))
    assert.deepEqual(
      answers.map((answer) => answer.error !== undefined),
      [false, false, true, true, true, true],
    )
    assert.match(answers[3]?.error ?? '', /500 ms/)
  })

  test('sends method and headers', async (t) => {
    const host = await make(t)
    const port = await listen(t, (request) => `HTTP/1.1 200 OK\r\n\r\n${request}`)

    const [answer] = await host.probe([
      { port, path: '/pause', method: 'POST', headers: { 'x-drover-set': 'abc' }, timeoutMs: 2000 },
    ])

    assert.match(answer?.body ?? '', /^POST \/pause /)
    assert.match(answer?.body ?? '', /^x-drover-set: abc\r$/im)
  })

  test('a path that is none and an abort are answers too', async (t) => {
    const host = await make(t)
    const mute = await listen(t, () => undefined)
    const abort = new AbortController()

    const answers = host.probe(
      [
        { port: mute, path: '/ a\r\nb', timeoutMs: 20_000 },
        { port: mute, path: '/', timeoutMs: 20_000 },
      ],
      abort.signal,
    )
    abort.abort()

    assert.deepEqual(
      (await answers).map(({ status, error }) => [status, error !== undefined]),
      [
        [undefined, true],
        [undefined, true],
      ],
    )
  })
}

function followSuite(make: Make): void {
  test('tells the last lines, then each new one, through truncation, rotation and late birth', async (t) => {
    const host = await make(t)
    const folder = await scratch(t)
    const [first, late] = [join(folder, 'log'), join(folder, 'late')]
    await writeFile(first, Array.from({ length: 500 }, (_, index) => `old ${index}\n`).join(''))
    const lines: string[] = []
    const abort = new AbortController()
    const heard = (line: string): Promise<void> => until(() => lines.includes(line))

    const following = host.follow([first, late], {
      lines: 2,
      signal: abort.signal,
      onLine: (file, line) => lines.push(`${file.slice(folder.length + 1)} ${line}`),
    })
    await heard('log old 499')
    await appendFile(first, 'new\nhal')
    await heard('log new')
    await appendFile(first, 'f\n')
    await heard('log half')
    await truncate(first, 0)
    await sleep(300)
    await appendFile(first, 'truncated\n')
    await heard('log truncated')
    await rename(first, join(folder, 'log.1'))
    await appendFile(join(folder, 'log.1'), 'to the old one\n')
    await writeFile(first, 'rotated\n')
    await heard('log rotated')
    await writeFile(late, 'born\n')
    await heard('late born')
    abort.abort()
    await following

    assert.deepEqual(lines, [
      'log old 498',
      'log old 499',
      'log new',
      'log half',
      'log truncated',
      'log to the old one',
      'log rotated',
      'late born',
    ])
  })
}

/** A server that gives each connection one raw answer, ends it, or with undefined never answers. */
async function listen(t: TestContext, answer: (request: string) => string | undefined): Promise<number> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (data) => {
      const text = answer(data.toString())
      if (text !== undefined) {
        socket.end(text)
      }
    })
    t.after(() => socket.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.after(() => server.close())
  return portOf(server)
}

function portOf(server: Server): number {
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}

/** A process that ended and was not collected yet is gone. */
async function isGone(pid: string): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')
  return /\) [ZX]/.test(status)
}

async function until(condition: () => boolean): Promise<void> {
  for (let polls = 0; polls < 1000 && !condition(); polls += 1) {
    await sleep(10)
  }
  assert.ok(condition(), 'what was waited for did not happen within 10 s')
}
