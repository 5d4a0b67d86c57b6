import assert from 'node:assert/strict'
import { readFile, readdir } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Secret } from '../../secrets/secret.ts'
import { kill, labSshd, relayed } from './lab-sshd.ts'

describe('the relay of a connection', () => {
  test('loses no end of many commands, and mixes none of what they say', { timeout: 120_000 }, async (t) => {
    const host = await relayed((await labSshd(t)).host())
    const script = 'echo "$1"; [ $(($1 % 3)) -ne 0 ] || exec >&- 2>&-; exit $(($1 % 5))'

    const outcomes = await Promise.all(
      Array.from({ length: 600 }, (_, index) => host.run({ program: 'sh', argv: ['-c', script, 'it', String(index)] })),
    )

    assert.deepEqual(
      outcomes.map(({ stdout, exitCode }) => [stdout, exitCode]),
      outcomes.map((_, index) => [`${index}\n`, index % 5]),
    )
  })

  test('runs programs of perl as perl does', async (t) => {
    const host = await relayed((await labSshd(t)).host())
    const text =
      'my %commands = (own => 1); print join("|", @ARGV, %commands, $0, scalar <STDIN>); END { print "end" } die "so\\n"'

    const here = await host.run({ program: 'perl', argv: ['-e', text, 'a b', ''], stdin: 'in\nput', cwd: '/' })
    const anew = await host.run({ program: '/usr/bin/perl', argv: ['-e', text, 'a b', ''], stdin: 'in\nput', cwd: '/' })

    assert.equal(here.stdout, 'a b||own|1|-e|in\nend')
    assert.deepEqual({ ...here, durationMs: 0 }, { ...anew, durationMs: 0 })
  })

  test('a long command does not hold up the input of another', async (t) => {
    const host = await relayed((await labSshd(t)).host())
    const abort = new AbortController()
    const large = 'x'.repeat(3_000_000)
    const reading = host.run({ program: 'sh', argv: ['-c', 'sleep 0.3; wc -c'], stdin: large })
    const staying = host.run({ program: 'perl', argv: ['-e', 'sleep 60'] }, { signal: abort.signal })

    const { stdout } = await reading

    assert.equal(stdout.trim(), String(large.length))
    abort.abort()
    assert.equal((await staying).failure, 'aborted')
  })

  test('that is cut off in the middle of a line is a failure of the transport; then there is another', async (t) => {
    const lab = await labSshd(t)
    const host = await relayed(lab.host())

    const outcome = await host.run(
      { program: 'sh', argv: ['-c', 'printf "half a li"; echo told >&2; exec sleep 30'] },
      {
        onLine: (line) => {
          if (line === 'told') void lab.children().then((pids) => pids.toReversed().forEach(kill))
        },
      },
    )

    assert.deepEqual([outcome.failure, outcome.exitCode, outcome.stdout], ['transport', undefined, 'half a li'])
    assert.match(outcome.stderr, /connection was lost/)
    await relayed(host)
  })

  test('that is gone when a command comes is not noticed', async (t) => {
    const lab = await labSshd(t)
    const host = await relayed(lab.host())
    // Longer than for what has just answered no question is asked.
    await sleep(1_100)
    for (const pid of (await lab.children()).toReversed()) process.kill(pid, 'SIGSTOP')
    const running = host.run({ program: 'echo', argv: ['here'] })
    await sleep(200)
    for (const pid of (await lab.children()).toReversed()) kill(pid)

    assert.equal((await running).stdout, 'here\n')
  })

  test('that hangs does not hold up an abort, which says what may still run', { timeout: 60_000 }, async (t) => {
    const lab = await labSshd(t)
    const host = await relayed(lab.host())
    const abort = new AbortController()

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
  })

  test('shows no secret in any argument list', async (t) => {
    const host = await relayed((await labSshd(t)).host())
    const secret = `hidden-${process.pid}-from-the-relay`
    const script = 'cat >/dev/null; echo ready; sleep 1; printf %s "$TOKEN"'
    const running = host.run({
      program: 'sh',
      argv: ['-c', script],
      env: { TOKEN: new Secret(secret) },
      stdin: new Secret(secret),
    })
    await sleep(500)

    const lines = await commandLines()

    assert.deepEqual(
      lines.filter((line) => line.includes(secret)),
      [],
    )
    assert.ok((await running).stdout.endsWith(secret))
  })

  test('ends with the host', async (t) => {
    const lab = await labSshd(t)
    const host = await relayed(lab.host())

    await host.close()

    assert.deepEqual(
      (await commandLines()).filter((line) => line.startsWith('ssh\0') && line.includes(lab.folder)),
      [],
    )
  })
})

async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
}
