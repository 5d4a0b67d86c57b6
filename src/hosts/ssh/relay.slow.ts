import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandLines, kill, labSshd, relayed } from './lab-sshd.ts'

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

  test('carries a small upload, which needs no session of its own', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'drover-fed-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const sessions = join(folder, 'sessions')
    const counted = `ForceCommand sh -c 'echo >>${sessions}; exec sh -c "$SSH_ORIGINAL_COMMAND"'`
    const host = await relayed((await labSshd(t, [counted])).host())
    const opened: number[] = []

    for (const [name, bytes] of [
      ['small', 3_000],
      ['large', 300_000],
    ] as const) {
      const before = (await readFile(sessions)).length
      await mkdir(join(folder, name))
      await writeFile(join(folder, name, 'file'), randomBytes(bytes))
      await host.upload(join(folder, name), join(folder, 'there', name))
      opened.push((await readFile(sessions)).length - before)
      const file = join(name, 'file')
      assert.deepEqual(await readFile(join(folder, 'there', file)), await readFile(join(folder, file)))
    }

    assert.deepEqual(opened, [0, 1])
  })

  test('that is gone when a command comes is not noticed; then there is another', async (t) => {
    const lab = await labSshd(t)
    const host = await relayed(lab.host())
    // Longer than for what has just answered no question is asked.
    await sleep(1_100)
    for (const pid of (await lab.children()).toReversed()) process.kill(pid, 'SIGSTOP')
    const running = host.run({ program: 'echo', argv: ['here'] })
    await sleep(200)
    for (const pid of (await lab.children()).toReversed()) kill(pid)

    assert.equal((await running).stdout, 'here\n')
    await relayed(host)
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
