import { refusal } from '../../problem/problem.ts'
import type { Host } from '../host.ts'
import { passOn } from '../pass-on.ts'

/** How a person would log in: where to, and by which configuration. */
export interface LoginOptions {
  readonly destination: string
  readonly port?: number
  /** Instead of ~/.ssh/config and /etc/ssh/ssh_config. */
  readonly configFile?: string
  /** Starts programs on this machine. */
  readonly run: Host['run']
}

/** What the user's configuration makes of a destination; asks no host. */
export interface LoginSettings {
  readonly user: string
  readonly hostname: string
}

export async function loginSettings(options: LoginOptions): Promise<LoginSettings> {
  const { destination, run } = options
  const argv = [...userOptions(options), '-G', '--', destination]
  const { ok, stdout, stderr } = await run({ program: 'ssh', argv, summary: `ssh -G ${destination}` })
  const user = /^user (\S+)$/m.exec(stdout)?.[1]
  const hostname = /^hostname (\S+)$/m.exec(stdout)?.[1]
  if (ok && user !== undefined && hostname !== undefined) return { user, hostname }
  throw refusal(
    'hosts/ssh-destination',
    `host ${destination}`,
    `ssh cannot tell whom it would log in as: ${stderr.trim() || 'no answer'}`,
    'Write user@host, or an alias of your ssh configuration.',
  )
}

export interface FirstContact {
  /** Of the key that was accepted, such as `SHA256:…`; undefined after another way to log in. */
  readonly fingerprint?: string
  /** What `uname -s` said; undefined when no command could be run. */
  readonly kernel?: string
}

const CONTACT_MS = 30_000

/**
 * Logs in once on a connection of its own, with nothing but a bare command: only a new login tells which key was
 * accepted, and what is no Linux server may lack all that other commands are wrapped in. Never rejects for a host.
 */
export async function firstContact(options: LoginOptions): Promise<FirstContact> {
  const own = ['BatchMode=yes', 'ControlMaster=no', 'ControlPath=none', 'ConnectTimeout=10', 'RequestTTY=no']
  const argv = [
    ...userOptions(options),
    '-v',
    ...[...own, 'RemoteCommand=none', 'ClearAllForwardings=yes'].flatMap((option) => ['-o', option]),
    '--',
    options.destination,
    'uname -s',
  ]
  const summary = `ssh -v ${options.destination}`
  const outcome = await options.run(
    { program: 'ssh', argv, summary, env: passOn(['SSH_AUTH_SOCK']) },
    { timeoutMs: CONTACT_MS },
  )
  const fingerprint = [...outcome.stderr.matchAll(/Server accepts key: .*\b(SHA256:[A-Za-z0-9+/]+)/g)].at(-1)?.[1]
  const kernel = outcome.ok ? /(?:^|\n)([A-Za-z][\w.-]{1,30})\n?$/.exec(outcome.stdout)?.[1] : undefined
  return {
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(kernel === undefined ? {} : { kernel }),
  }
}

function userOptions({ configFile, port }: LoginOptions): string[] {
  return [...(configFile === undefined ? [] : ['-F', configFile]), ...(port === undefined ? [] : ['-p', String(port)])]
}
