import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { Outcome } from '../src/hosts/host.ts'
import { localHost } from '../src/hosts/local/local-host.ts'
import { connection } from '../src/hosts/ssh/connection.ts'
import { labSshd, relayed } from '../src/hosts/ssh/lab-sshd.ts'
import { runInSession } from '../src/hosts/ssh/session.ts'

/**
 * What a command costs over a connection that is there: in a session of sshd of its own, and started by the relay; and a
 * program of Perl that the relay starts, and one that is a fork of it. Against an sshd of its own on the loopback, one
 * after the other in each round. Prints a table in Markdown.
 */
const ROUNDS = 60
const TRUE = { program: 'true', argv: [] }
/** With the modules of those programs that Drover runs on hosts. */
const PERL = ['-e', 'use strict; use warnings; use Errno; use Fcntl; use File::Basename; use POSIX (); use Socket ();']

const ends: (() => Promise<void>)[] = []
try {
  const lab = await labSshd({ after: (work) => void ends.push(work) })
  const host = await relayed(lab.host())
  const { configFile } = lab
  const local = localHost()
  const line = connection({
    name: 'lab',
    destination: 'lab',
    folder: join(lab.folder, 'line'),
    run: (command, options) => local.run(command, options),
    configFile,
  })
  ends.push(() => line.close())
  const session = (): Promise<Outcome> => runInSession(line, TRUE)
  await session()
  const [own, relay, started, forked] = await medians([
    session,
    () => host.run(TRUE),
    () => host.run({ program: '/usr/bin/perl', argv: PERL }),
    () => host.run({ program: 'perl', argv: PERL }),
  ])
  process.stdout.write(
    [
      '| | ms | ratio |',
      '|:--|--:|--:|',
      row('a command in a session of its own', own!, own!),
      row('a command through the relay', relay!, own!),
      row('a program of Perl that the relay starts', started!, started!),
      row('a program of Perl in a fork of the relay', forked!, started!),
      '',
    ].join('\n'),
  )
} finally {
  for (const end of ends.toReversed()) await end()
}

function row(name: string, ms: number, base: number): string {
  return `| ${name} | ${ms.toFixed(1)} | ${(ms / base).toFixed(2)} |`
}

async function medians(ways: readonly (() => Promise<Outcome>)[]): Promise<number[]> {
  const all: number[][] = ways.map(() => [])
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, way] of ways.entries()) {
      const began = performance.now()
      const outcome = await way()
      all[index]!.push(performance.now() - began)
      assert.ok(outcome.ok, outcome.stderr)
    }
  }
  return all.map((times) => times.toSorted((a, b) => a - b)[ROUNDS / 2]!)
}
