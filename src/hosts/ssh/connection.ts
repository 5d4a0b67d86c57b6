import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal, refusal } from '../../problem/problem.ts'
import { quote } from '../host.ts'
import type { Command, Host, Outcome } from '../host.ts'
import type { Inventories } from '../inventory/inventories.ts'
import { passOn } from '../pass-on.ts'
import { connectionRefusal, isKeyFailure } from './connection-failure.ts'

export interface SshOptions {
  /** As the fleet calls it. */
  readonly name: string
  /** As in ssh's argument: an alias of the user's ssh configuration, or user@host. */
  readonly destination: string
  /** For sockets of connections; made with mode 0700. */
  readonly folder: string
  /** Shared by hosts that the same artifacts go to. Default: of this host alone, below the folder. */
  readonly inventories?: Inventories
  /** Starts programs on this machine. */
  readonly run: Host['run']
  /** Instead of ~/.ssh/config and /etc/ssh/ssh_config. */
  readonly configFile?: string
  readonly port?: number
  /** Default 10. */
  readonly connectTimeoutSeconds?: number
  /** A connection on which nothing has come for so long is lost. Default 15. */
  readonly silenceSeconds?: number
}

/** One multiplexed connection of the system's OpenSSH: ssh makes it at first use, and again after it was lost. */
export interface Connection {
  readonly options: SshOptions
  /** The program ssh on this machine, asking the login shell of the host for something. */
  command(login: string): Promise<Command & { readonly env: NonNullable<Command['env']> }>
  /** Asks the process that has the connection open for a forwarding (`-L` or `-R` and its ends), or takes it back. */
  control(order: 'forward' | 'cancel', forwarding: readonly string[]): Promise<Outcome>
  /**
   * Waits while somebody else makes the connection, or becomes the one that does. Rejects as that one did: fifty
   * commands for a dead host need not each wait for it.
   */
  enter(): Promise<Entry>
  /** The host has answered since it was last found to be unreachable. */
  hasAnswered(): boolean
  /** Why ssh gave up, from what it said; asks it once more for the fingerprint of a key that it does not know. */
  explain(said: string): Promise<Refusal>
  close(): Promise<void>
}

export interface Entry {
  /** The host has answered. */
  begun(): void
  /** The end of a use; what failed when the host never answered, or when the connection was lost. */
  left(why?: Refusal | 'lost'): void
}

/** Of the 108 bytes of a socket's address, ssh takes 17 for a name of its own while it makes it, and one ends it. */
const LONGEST_SOCKET = 108 - 17 - 1
const IDLE_SECONDS = 120
/** How often a silent host is asked whether it is there. */
const QUESTIONS = 3
let connections = 0

export function connection(options: SshOptions): Connection {
  const { name, destination, run } = options
  if (destination === '' || destination.startsWith('-')) {
    throw refusal('hosts/ssh-destination', `host ${name}`, `not a destination for ssh: ${JSON.stringify(destination)}`)
  }
  const place = socketPlace(options.folder)
  let connected = false
  let answered = false
  let leading: Promise<Refusal | undefined> | undefined

  function command(
    login: readonly string[],
    own: readonly string[] = [],
  ): Promise<Command & { env: NonNullable<Command['env']> }> {
    return place.path().then((socket) => ({
      program: 'ssh',
      argv: [...userOptions(options), ...own, ...ownOptions(options, socket), '--', destination, ...login],
      env: passOn(['SSH_AUTH_SOCK']),
      summary: `ssh ${destination}`,
    }))
  }

  async function enter(): Promise<Entry> {
    if (connected) return { begun: () => undefined, left: lost }
    if (leading === undefined) return lead()
    const failure = await leading
    if (failure !== undefined) throw failure
    return enter()
  }

  function lost(why?: Refusal | 'lost'): void {
    if (why !== undefined) connected = false
  }

  function lead(): Entry {
    let done: (failure?: Refusal) => void = () => undefined
    const mine = new Promise<Refusal | undefined>((resolve) => {
      done = resolve
    })
    leading = mine
    return {
      begun() {
        connected = true
        answered = true
        leading = undefined
        done()
      },
      left(why) {
        lost(why)
        if (why instanceof Refusal) answered = false
        if (leading === mine) leading = undefined
        done(why instanceof Refusal ? why : undefined)
      },
    }
  }

  async function explain(said: string): Promise<Refusal> {
    const tryIt = ['ssh', ...userOptions(options), destination].map(quote).join(' ')
    if (!isKeyFailure(said)) return connectionRefusal({ name, destination, tryIt, said })
    const [shown, settings] = await Promise.all([
      run(await command(['true'], ['-v', '-o', 'ControlPath=none'])),
      run(await command([], ['-G'])),
    ])
    const knownHosts = /^userknownhostsfile (\S+)/m.exec(settings.stdout)?.[1]
    return connectionRefusal({
      name,
      destination,
      tryIt,
      said: shown.stderr,
      ...(knownHosts === undefined ? {} : { knownHosts }),
    })
  }

  async function close(): Promise<void> {
    connected = false
    if (!place.used()) return
    const checked = await run(await command([], ['-O', 'check']))
    const master = /pid=(\d+)/.exec(checked.stderr)?.[1]
    if (master !== undefined) {
      await run(await command([], ['-O', 'exit']))
      await gone(Number(master))
    }
    await place.remove()
  }

  /** Without the user's configuration: the forwardings that it may hold would be asked for too. */
  async function control(order: 'forward' | 'cancel', forwarding: readonly string[]): Promise<Outcome> {
    const path = `ControlPath=${controlPath(await place.path())}`
    const argv = ['-F', 'none', '-o', path, '-O', order, ...forwarding, '--', destination]
    return run({ program: 'ssh', argv, summary: `ssh -O ${order}` }, { timeoutMs: 10_000 })
  }

  return { options, command: (login) => command([login]), control, enter, hasAnswered: () => answered, explain, close }
}

function userOptions({ configFile, port }: SshOptions): string[] {
  return [...(configFile === undefined ? [] : ['-F', configFile]), ...(port === undefined ? [] : ['-p', String(port)])]
}

/**
 * All else is the user's own configuration, keys and known hosts. What it may hold for people at a terminal
 * (forwardings, a command to run, a terminal) is not for us. Nobody is there to answer questions.
 */
function ownOptions({ connectTimeoutSeconds = 10, silenceSeconds = 15 }: SshOptions, socket: string): string[] {
  return [
    'BatchMode=yes',
    'ControlMaster=auto',
    `ControlPath=${controlPath(socket)}`,
    `ControlPersist=${IDLE_SECONDS}`,
    `ConnectTimeout=${connectTimeoutSeconds}`,
    'ConnectionAttempts=1',
    `ServerAliveInterval=${Math.max(1, Math.round(silenceSeconds / QUESTIONS))}`,
    `ServerAliveCountMax=${QUESTIONS}`,
    'RequestTTY=no',
    'RemoteCommand=none',
    'PermitLocalCommand=no',
    'ClearAllForwardings=yes',
  ].flatMap((option) => ['-o', option])
}

/** ssh takes a percent sign for the beginning of a token. */
function controlPath(socket: string): string {
  return socket.replaceAll('%', '%%')
}

interface SocketPlace {
  path(): Promise<string>
  used(): boolean
  remove(): Promise<void>
}

/** A socket of this connection alone. Below a folder with a long name there is no room for one: then in a new one. */
function socketPlace(folder: string): SocketPlace {
  connections += 1
  const name = createHash('sha256')
    .update(`${process.pid} ${connections} ${performance.timeOrigin}`)
    .digest('hex')
    .slice(0, 12)
  const isShort = Buffer.byteLength(join(folder, name)) <= LONGEST_SOCKET
  let made: Promise<string> | undefined
  async function make(): Promise<string> {
    if (!isShort) return join(await mkdtemp(join(tmpdir(), 'drover-')), name)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
    return join(folder, name)
  }
  return {
    path: () => (made ??= make()),
    used: () => made !== undefined,
    async remove() {
      if (made === undefined) return
      await rm(isShort ? await made : join(await made, '..'), { recursive: true, force: true })
      made = undefined
    },
  }
}

/** The master tells that it will end, and then takes a moment. One that nobody collected yet has ended. */
async function gone(pid: number): Promise<void> {
  for (let polls = 0; polls < 200; polls += 1) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    if (/\) [ZX]/.test(stat)) return
    await sleep(10)
  }
}
