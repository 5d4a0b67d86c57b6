import { spawn } from 'node:child_process'
import { open, readFile, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal, problem } from '../../problem/problem.ts'
import { prepareHome } from '../../server/home.ts'
import type { Home } from '../../server/home.ts'
import { homeIsServed } from '../../server/lock.ts'
import type { Cli } from '../cli.ts'
import type { Endpoint } from './http.ts'

/** The first start makes a database. */
const LONGEST_START_MS = 120_000
const POLL_MS = 50
const LAST_LINES = 15

/**
 * Starts the control plane of a home as a process of its own, which outlives this one, and waits until it answers.
 * When two commands do so at once, the loser's process ends by itself and both use the winner's.
 */
export async function startLocal(cli: Cli, home: Home, find: () => Promise<Endpoint | undefined>): Promise<Endpoint> {
  await prepareHome(home)
  cli.note(cli.paint.dim(`starting the local control plane in ${home.folder}`))
  const log = await open(home.log, 'a', 0o600)
  const before = (await log.stat()).size
  const [program = process.execPath, ...args] = cli.self
  const child = spawn(program, [...args, 'serve', '--home', home.folder, '--port', '0'], {
    cwd: home.folder,
    detached: true,
    env: { ...cli.env },
    stdio: ['ignore', log.fd, log.fd],
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`it cannot be started: ${error.message}`))
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`))
  })
  await log.close()
  child.unref()
  return answering(home, { find, ended, logFrom: before })
}

interface Waiting {
  readonly find: () => Promise<Endpoint | undefined>
  readonly ended: Promise<string>
  readonly logFrom: number
}

async function answering(home: Home, { find, ended, logFrom }: Waiting): Promise<Endpoint> {
  const deadline = performance.now() + LONGEST_START_MS
  for (;;) {
    const found = await find()
    if (found !== undefined) return found
    const end = await Promise.race([ended, sleep(POLL_MS, undefined)])
    if (end !== undefined && !(await homeIsServed(home))) throw await notUp(home, end, logFrom)
    if (performance.now() > deadline)
      throw await notUp(home, `it does not answer after ${LONGEST_START_MS / 1000} s`, logFrom)
    if (end !== undefined) await sleep(POLL_MS)
  }
}

/** With the last words of the start, so that nobody has to look for them. */
async function notUp(home: Home, why: string, logFrom: number): Promise<Refusal> {
  const { size } = await stat(home.log)
  const written = (await readFile(home.log)).subarray(Math.min(logFrom, size)).toString('utf8').trimEnd()
  const last = written
    .split('\n')
    .slice(-LAST_LINES)
    .map((line) => `\n  | ${line}`)
    .join('')
  const hint = `All of it is in ${home.log}.`
  return new Refusal([
    problem(
      'cli/not-started',
      'the local control plane',
      `did not come up: ${why}${written === '' ? '' : `; it wrote${last}`}`,
      hint,
    ),
  ])
}
