import type { Command, Host, Outcome } from '../hosts/host.ts'
import { NETWORK_VARIABLES, passOn } from '../hosts/pass-on.ts'
import { refusal } from '../problem/problem.ts'
import type { Refusal } from '../problem/problem.ts'
import { Secret, scrub } from '../secrets/secret.ts'
import type { Address } from './address.ts'

/** One call of git. `argv` starts with git's own options or the sub-command. */
export interface GitCall {
  readonly argv: readonly string[]
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string | Secret>>
  readonly cwd?: string
  readonly signal?: AbortSignal | undefined
  /** Default 60 s. */
  readonly timeoutMs?: number
}

/** Most that git may say; a list of every file of a very large repository fits. */
const MAX_OUTPUT = 256 * 1024 * 1024

/** Messages in English and no questions: there is nobody to answer. */
const NEUTRAL = { GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C', GIT_NO_REPLACE_OBJECTS: '1' }

/** Neither the machine's nor the person's configuration may change what a commit of our own mirror says. */
const ISOLATED = { ...NEUTRAL, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_ATTR_NOSYSTEM: '1' }

const SETTINGS = ['core.hooksPath=/dev/null', 'core.attributesFile=/dev/null', 'core.quotePath=false']

/**
 * Reads or writes our own mirror and nothing else. The folder is named outright, which git trusts whoever owns it: no
 * `safe.directory` is needed.
 */
export function inMirror(mirror: string, call: GitCall): Command {
  return command({
    ...call,
    argv: ['--git-dir', mirror, '--literal-pathspecs', ...call.argv],
    env: { ...ISOLATED, ...call.env },
  })
}

/**
 * Talks to the repository that is mirrored. The person's own configuration holds here (proxies, certificates, ssh,
 * credential helpers); credentials of the address travel in the environment, through git's own credential protocol,
 * so that git hands them to that server only and not to one that it is redirected to.
 */
export function overNetwork(mirror: string, address: Address, call: GitCall): Command {
  const names = [
    ...NETWORK_VARIABLES,
    'GIT_SSH',
    'GIT_SSH_COMMAND',
    'GIT_SSL_CAINFO',
    'GIT_SSL_CAPATH',
    'XDG_CONFIG_HOME',
  ]
  const env = { ...passOn(names), ...NEUTRAL, ...credentialVariables(address), ...call.env }
  return command({ ...call, argv: ['--git-dir', mirror, ...call.argv], env })
}

/** Runs git; a Refusal when it is not there, takes too long or is told to stop. Any exit code is an Outcome. */
export async function git(host: Host, command: Command, call: GitCall): Promise<Outcome> {
  const outcome = await host.run(command, {
    timeoutMs: call.timeoutMs ?? 60_000,
    maxOutputBytes: MAX_OUTPUT,
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  })
  if (outcome.failure === 'not-found') {
    const [name, pack] = command.program === 'flock' ? ['flock', 'util-linux'] : ['git', 'git']
    throw refusal(
      `source/no-${name}`,
      `host ${host.name}`,
      `${name} is not installed`,
      `Install it with: apt-get install ${pack}`,
    )
  }
  if (outcome.failure === 'timeout') {
    const seconds = Math.round((call.timeoutMs ?? 60_000) / 1000)
    throw refusal(
      'source/timed-out',
      verb(call),
      `git did not end within ${seconds} s`,
      'Is the server or the disk slow?',
    )
  }
  if (outcome.failure === 'aborted') {
    throw refusal('source/aborted', verb(call), 'was told to stop')
  }
  return outcome
}

/** What git said last, in one line without credentials. */
export function saying(outcome: Outcome, secrets: readonly Secret[]): string {
  const lines = outcome.stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('hint:'))
  const said = lines.slice(-3).join('; ').slice(0, 500)
  return scrub(said === '' ? `exit code ${outcome.exitCode ?? outcome.signal ?? 'unknown'}` : said, secrets)
}

export function gitFailed(call: GitCall, outcome: Outcome, secrets: readonly Secret[]): Refusal {
  if (/No space left on device|Disk quota exceeded/.test(outcome.stderr)) {
    return refusal(
      'source/disk-full',
      verb(call),
      'there is no space left on the disk',
      'Free some space and try again.',
    )
  }
  return refusal('source/git-failed', verb(call), saying(outcome, secrets))
}

function verb(call: GitCall): string {
  return `git ${call.argv.find((word) => /^[a-z][a-z-]+$/.test(word)) ?? ''}`.trim()
}

function command(call: GitCall): Command {
  return {
    program: 'git',
    argv: [...SETTINGS.flatMap((setting) => ['-c', setting]), ...call.argv],
    ...(call.stdin === undefined ? {} : { stdin: call.stdin }),
    ...(call.env === undefined ? {} : { env: call.env }),
    ...(call.cwd === undefined ? {} : { cwd: call.cwd }),
  }
}

/** A credential helper for this server, set by environment: neither argv nor a file ever holds the password. */
function credentialVariables(address: Address): Record<string, string | Secret> {
  if (address.credentials === undefined) {
    return {}
  }
  const helper =
    '!f() { test "$1" = get && printf \'username=%s\\npassword=%s\\n\' "$DROVER_GIT_USERNAME" "$DROVER_GIT_PASSWORD"; }; f'
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `credential.${new URL(address.url).origin}.helper`,
    GIT_CONFIG_VALUE_0: helper,
    DROVER_GIT_USERNAME: address.credentials.username,
    DROVER_GIT_PASSWORD: address.credentials.password,
  }
}
