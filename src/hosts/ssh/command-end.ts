import type { Command, Outcome } from '../host.ts'

export const DEFAULT_TIMEOUT_MS = 60_000
export const DEFAULT_MAX_OUTPUT = 1024 * 1024
/** What is there at the end of a command arrives with it; what holds ssh open longer is a daemon left behind. */
export const LINGER_MS = 200
/** A command on its way cannot be ended before it told its group. */
export const ON_ITS_WAY_MS = 2_000
export const KILL_TIMEOUT_MS = 10_000

/** Of a command of which nothing is known yet. */
export const EMPTY: Outcome = {
  ok: false,
  exitCode: undefined,
  signal: undefined,
  stdout: '',
  stderr: '',
  durationMs: 0,
}

/** A command that ends the process group of another. */
export function endOfGroup(group: number): Command {
  return { program: 'sh', argv: ['-c', END_GROUP, 'end', String(group)] }
}

/** Said where that could not be done. */
export function mayStillRun(group: number): string {
  return `its processes (group ${group}) may still run: the host cannot be reached\n`
}

/** SIGTERM, and SIGKILL two seconds later to what is left. Killed ones that nobody collected count as there still. */
const END_GROUP = `there() { kill -s 0 -- "-$group" 2>/dev/null; }
group=$1 polls=0
kill -s TERM -- "-$group" 2>/dev/null
while there && [ $polls -lt 40 ]; do sleep 0.05; polls=$((polls + 1)); done
there || exit 0
kill -s KILL -- "-$group" 2>/dev/null
while there && [ $polls -lt 50 ]; do sleep 0.02; polls=$((polls + 1)); done
exit 0`

/** What a command has said, and then that its connection was lost. */
export function withLost(said: string): string {
  const lost = 'the connection was lost while the command ran; it may still be running\n'
  return `${said}${said === '' || said.endsWith('\n') ? '' : '\n'}${lost}`
}
