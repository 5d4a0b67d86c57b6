import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { freePort } from '../../../test/free-ports.ts'
import { Refusal } from '../../problem/problem.ts'
import { Secret } from '../../secrets/secret.ts'
import type { Host } from '../host.ts'
import { localHost } from '../local/local-host.ts'
import { commandLines, kill, knownHost, labSshd, makeKey, relayed } from './lab-sshd.ts'

const TRUE = { program: 'true', argv: [] }

describe('a host over ssh that does not let us in', () => {
  test('an unknown key is refused with its fingerprint, the file and the command that accepts it', async (t) => {
    const lab = await labSshd(t)
    await writeFile(lab.knownHosts, '')
    const { stdout } = await localHost().run({ program: 'ssh-keygen', argv: ['-lf', join(lab.folder, 'host_key.pub')] })
    const fingerprint = stdout.split(' ')[1] ?? '?'

    const { code, what, hint } = await refused(lab.host())

    assert.equal(code, 'hosts/ssh-key-unknown')
    assert.ok(what.includes(fingerprint), what)
    assert.ok(what.includes(lab.knownHosts), what)
    const command = /`(ssh -o [^`]+)`/.exec(hint)?.[1] ?? ''
    const accepted = await localHost().run({ program: 'sh', argv: ['-c', command] })
    assert.ok(accepted.ok, `${command}: ${accepted.stderr}`)
    assert.ok((await lab.host().run(TRUE)).ok)
  })

  test('a changed key is refused with a warning; the two commands of the hint accept it', async (t) => {
    const lab = await labSshd(t)
    await makeKey(join(lab.folder, 'other'))
    const other = (await readFile(join(lab.folder, 'other.pub'), 'utf8')).split(' ')[1] ?? ''
    const known = await knownHost(lab.folder, lab.port)
    await writeFile(lab.knownHosts, known.replace(/\S+\n$/, `${other}\n`))

    const { code, what, hint } = await refused(lab.host())

    assert.equal(code, 'hosts/ssh-key-changed')
    assert.match(what, /SHA256:/)
    assert.ok(what.includes(lab.knownHosts), what)
    const commands = [...hint.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')
    assert.equal(commands.length, 2)
    for (const command of commands) {
      assert.ok((await localHost().run({ program: 'sh', argv: ['-c', command] })).ok, command)
    }
    assert.ok((await lab.host().run(TRUE)).ok)
  })

  test('a wrong key, a closed port and an unknown name are told apart', async (t) => {
    const lab = await labSshd(t)
    const closed = await refused(lab.host({ port: await freePort() }))
    const unknown = await refused(lab.host({ destination: 'no-such-host.invalid' }))
    await writeFile(join(lab.folder, 'authorized_keys'), '')

    const denied = await refused(lab.host())

    assert.deepEqual(
      [closed.code, unknown.code, denied.code],
      ['hosts/unreachable', 'hosts/unknown-name', 'hosts/ssh-denied'],
    )
    assert.match(closed.what, /refuses connections/)
  })

  test('a port that says nothing and one that speaks something else end in time', async (t) => {
    const lab = await labSshd(t)
    const mute = await answering(t, undefined)
    const garbage = await answering(t, 'HTTP/1.1 400 Bad Request\r\n\r\nnot ssh\r\n')

    const silent = await refused(lab.host({ port: mute, connectTimeoutSeconds: 1 }))
    const other = await refused(lab.host({ port: garbage, connectTimeoutSeconds: 1 }))

    assert.equal(silent.code, 'hosts/unreachable')
    assert.equal(other.code, 'hosts/not-ssh')
  })

  test('a machine without ssh says so', async (t) => {
    const lab = await labSshd(t)
    const run: Host['run'] = (command, options) =>
      localHost().run({ ...command, env: { ...command.env, PATH: '/nowhere' } }, options)

    const { code } = await refused(lab.host({ run }))

    assert.equal(code, 'hosts/ssh-missing')
  })

  test('many commands for a host that is away wait for one attempt', async (t) => {
    const lab = await labSshd(t)
    let attempts = 0
    const run: Host['run'] = (command, options) => {
      attempts += 1
      return localHost().run(command, options)
    }
    const host = lab.host({ port: await freePort(), run })

    const ends = await Promise.allSettled(Array.from({ length: 8 }, () => host.run(TRUE)))

    assert.ok(ends.every((end) => end.status === 'rejected' && end.reason instanceof Refusal))
    assert.equal(attempts, 1)
  })
})

describe('a host over ssh in trouble', () => {
  test('a follower whose connection is cut rejects', async (t) => {
    const lab = await labSshd(t)
    const file = join(lab.folder, 'log')
    await writeFile(file, 'one\n')
    const abort = new AbortController()
    t.after(() => abort.abort())

    const following = lab.host().follow([file], {
      lines: 1,
      signal: abort.signal,
      onLine: () => void lab.children().then((pids) => pids.toReversed().forEach(kill)),
    })

    await assert.rejects(
      following,
      (error) => error instanceof Refusal && error.problems[0]?.code === 'hosts/follow-lost',
    )
  })

  test('a host that allows two sessions a connection is slower, no more', async (t) => {
    const lab = await labSshd(t, ['MaxSessions 2'])
    const host = lab.host()

    const outcomes = await Promise.all(Array.from({ length: 6 }, () => host.run({ program: 'sleep', argv: ['0.3'] })))

    assert.ok(outcomes.every(({ ok }) => ok))
  })

  test('exit code 255 of a program is its own', async (t) => {
    const lab = await labSshd(t)

    const outcome = await lab.host().run({ program: 'sh', argv: ['-c', 'exit 255'] })

    assert.deepEqual([outcome.failure, outcome.exitCode], ['exit', 255])
  })

  test('noise of a login shell is not output', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'drover-shell-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const noise = join(folder, 'noisy')
    await writeFile(
      noise,
      '#!/bin/sh\nyes noise | head -c 20000; printf "cut"; echo oops >&2; eval "$SSH_ORIGINAL_COMMAND"\n',
      {
        mode: 0o755,
      },
    )
    const lab = await labSshd(t, [`ForceCommand ${noise}`])

    const lines: string[] = []
    const outcome = await lab
      .host()
      .run(
        { program: 'sh', argv: ['-c', 'echo "$0 said"; printf "no newline"; echo err >&2', 'it'] },
        { onLine: (line, stream) => lines.push(`${stream} ${line}`) },
      )

    assert.deepEqual([outcome.stdout, outcome.stderr, outcome.ok], ['it said\nno newline', 'err\n', true])
    assert.deepEqual(lines.toSorted(), ['stderr err', 'stdout it said', 'stdout no newline'])
  })

  test('thirty commands at once share one connection, and followers take no places from them', async (t) => {
    const lab = await labSshd(t)
    const host = lab.host()
    const abort = new AbortController()
    const followers = Array.from({ length: 12 }, () =>
      host.follow(['/nowhere/at/all'], { lines: 1, signal: abort.signal, onLine: () => undefined }),
    )

    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        host.run({ program: 'sh', argv: ['-c', 'sleep 0.1; echo $0', String(index)] }),
      ),
    )
    abort.abort()
    await Promise.all(followers)

    assert.deepEqual(
      outcomes.map(({ stdout }) => stdout),
      Array.from({ length: 30 }, (_, index) => `${index}\n`),
    )
  })

  test('closing leaves no process and no socket', async (t) => {
    const lab = await labSshd(t)
    const host = lab.host()
    await host.run(TRUE)
    const before = (await commandLines()).filter((line) => line.includes(lab.folder) && /^ssh[:\0]/.test(line))

    await host.close()

    const after = (await commandLines()).filter((line) => line.includes(lab.folder) && /^ssh[:\0]/.test(line))
    assert.equal(before.length, 1)
    assert.deepEqual(after, [])
    assert.deepEqual(await readdir(join(lab.folder, 's')), [])
  })

  test('a folder with a name too long for a socket is no obstacle', async (t) => {
    const lab = await labSshd(t)

    const outcome = await lab.host({ folder: join(lab.folder, 'x'.repeat(120)) }).run(TRUE)

    assert.ok(outcome.ok)
  })
})

for (const [way, opened] of [
  ['in sessions of their own', (host: Host) => Promise.resolve(host)],
  ['through the relay', relayed],
] as const) {
  describe(`commands ${way}`, () => {
    test('a connection cut in the middle of a line is a failure of the transport, and the next command connects anew', async (t) => {
      const lab = await labSshd(t)
      const host = await opened(lab.host())
      const running = host.run(
        { program: 'sh', argv: ['-c', 'printf "half a li"; echo told >&2; exec sleep 30'] },
        {
          onLine: (line) => {
            if (line === 'told') void lab.children().then((pids) => pids.toReversed().forEach(kill))
          },
        },
      )

      const outcome = await running
      const next = await host.run({ program: 'echo', argv: ['again'] })

      assert.deepEqual([outcome.failure, outcome.exitCode, outcome.stdout], ['transport', undefined, 'half a li'])
      assert.match(outcome.stderr, /connection was lost/)
      assert.equal(next.stdout, 'again\n')
    })

    test(
      'a connection that hangs does not hold up an abort, which says what may still run',
      { timeout: 60_000 },
      async (t) => {
        const lab = await labSshd(t)
        const abort = new AbortController()
        const host = await opened(lab.host())

        const outcome = await host.run(
          { program: 'sh', argv: ['-c', 'echo ready; exec sleep 60'] },
          {
            signal: abort.signal,
            onLine: () =>
              void lab
                .children()
                .then((pids) => pids.forEach((pid) => process.kill(pid, 'SIGSTOP')))
                .finally(() => abort.abort()),
          },
        )

        assert.equal(outcome.failure, 'aborted')
        assert.match(outcome.stderr, /may still run/)
      },
    )

    test('secrets are in no argument list on either side', async (t) => {
      const host = await opened((await labSshd(t)).host())
      const secret = `hidden-${process.pid}-in-the-input`
      let found: string[] | undefined
      let looked: Promise<void> | undefined

      const outcome = await host.run(
        {
          program: 'sh',
          argv: ['-c', 'cat >/dev/null; echo ready; sleep 1; printf %s "$TOKEN"'],
          env: { TOKEN: new Secret(secret) },
          stdin: new Secret(secret),
        },
        {
          onLine: (line) => {
            if (line === 'ready')
              looked = commandLines().then((all) => void (found = all.filter((one) => one.includes(secret))))
          },
        },
      )
      await looked

      assert.equal(outcome.stdout.replace('ready\n', ''), secret)
      assert.deepEqual(found, [])
    })
  })
}

async function refused(host: Host): Promise<{ code: string; what: string; hint: string }> {
  const error = await host.run(TRUE).catch((error: unknown) => error)
  assert.ok(error instanceof Refusal, `not refused: ${JSON.stringify(error)}`)
  const [problem] = error.problems
  assert.ok(problem?.hint !== undefined)
  return { code: problem.code, what: problem.what, hint: problem.hint }
}

async function answering(t: TestContext, answer: string | undefined): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    if (answer !== undefined) socket.end(answer)
    t.after(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}
