import { randomBytes } from 'node:crypto'
import { basename, dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { refusal } from '../../problem/problem.ts'
import type { Refusal } from '../../problem/problem.ts'
import type { Outcome, TunnelEnds } from '../host.ts'
import type { Connection } from './connection.ts'
import { runInSession } from './session.ts'

/** Over a line that has fallen silent the host cannot know that nobody answers any more; so this machine says that it does. */
const BEAT_MS = 4_000
const SILENCE_SECONDS = 15
/** Who has connected to the socket on the host is let in before it goes. */
const DOOR_MS = 50
const ENDLESS_MS = 2 ** 31 - 1

/**
 * Stays on the host as long as the tunnel. sshd binds the socket at a short path, the working folder of this process,
 * under a name of its own, since it takes the place of nothing; at the first beat the socket gets its name, and with it
 * whatever was there is gone. After a silence the socket goes, and the sshd of this connection with all who wait
 * behind it: its other end may never come back, and the kernel would tell it so a quarter of an hour later.
 */
const KEEP = `cd -- "$1" || exit 3
name=$2 part=$3 own= silent=0
heard() {
  silent=0
  [ -z "$own" ] || return 0
  chmod 666 -- "$part" && own=$(stat -c %i -- "$part") && mv -fT -- "$part" "$name" || exit 4
  printf 'open\\n'
}
leave() {
  rm -f -- "$part"
  if [ -n "$own" ] && [ "$(stat -c %i -- "$name" 2>/dev/null)" = "$own" ]; then rm -f -- "$name"; fi
}
trap heard USR1
trap leave EXIT
trap 'exit 143' HUP INT TERM
printf 'keeper %s\\n' $$
while [ $silent -lt ${SILENCE_SECONDS} ]; do
  silent=$((silent + 1))
  sleep 1 &
  wait $!
done
leave
pid=$$
while [ "$pid" -gt 1 ] && read -r _ program _ parent _ <"/proc/$pid/stat"; do
  case $program in '(sshd'*) kill "$pid"; break ;; esac
  pid=$parent
done`

/** What a tunnel is while its connection lasts. */
export interface Passage {
  /** Kept when the socket on the host is gone, for whatever reason. */
  readonly ended: Promise<void>
  /** Listens at `socket` on this machine for connections to the host's port. */
  reach(port: number, socket: string): Promise<void>
  /** Ends what `reach` has begun; connections go on. */
  close(): Promise<void>
}

/** Opens a passage; the signal ends it. Connections that have come through go on as long as they like. */
export async function openPassage(connection: Connection, ends: TunnelEnds, signal: AbortSignal): Promise<Passage> {
  const part = `.${basename(ends.socket)}.${randomBytes(4).toString('hex')}`
  const keeper = startKeeper(connection, [dirname(ends.socket), basename(ends.socket), part], signal)
  const pid = await keeper.pid
  const backward = ['-R', `/proc/${pid}/cwd/${part}:${escaped(ends.localSocket)}`]
  const forwarded = await connection.control('forward', backward)
  if (!forwarded.ok) {
    keeper.end()
    await keeper.ended
    throw notForwarded(connection, forwarded)
  }
  await beat(connection, pid)
  const beating = setInterval(() => void beat(connection, pid), BEAT_MS)
  const ended = end()

  async function end(): Promise<void> {
    await keeper.ended
    clearInterval(beating)
    await sleep(DOOR_MS)
    await connection.control('cancel', backward)
  }

  await keeper.open
  const forward: (readonly string[])[] = []
  return {
    ended,
    async reach(port, socket) {
      const spec = ['-L', `${escaped(socket)}:127.0.0.1:${port}`]
      const outcome = await connection.control('forward', spec)
      if (!outcome.ok) throw notForwarded(connection, outcome)
      forward.push(spec)
    },
    async close() {
      for (const spec of forward.splice(0)) await connection.control('cancel', spec)
    },
  }
}

async function beat(connection: Connection, pid: string): Promise<void> {
  const command = { program: 'sh', argv: ['-c', 'kill -s USR1 "$1"', 'beat', pid] }
  await runInSession(connection, command, { timeoutMs: BEAT_MS }).catch(() => undefined)
}

interface Keeper {
  readonly pid: Promise<string>
  /** The socket has its name. */
  readonly open: Promise<void>
  readonly ended: Promise<void>
  end(): void
}

function startKeeper(connection: Connection, argv: readonly string[], signal: AbortSignal): Keeper {
  const pid = Promise.withResolvers<string>()
  const open = Promise.withResolvers<void>()
  const own = new AbortController()
  const onLine = (line: string): void => {
    if (line.startsWith('keeper ')) pid.resolve(line.slice('keeper '.length))
    if (line === 'open') open.resolve()
  }
  const running = runInSession(
    connection,
    { program: 'sh', argv: ['-c', KEEP, 'keep', ...argv], summary: 'keep a socket' },
    { signal: AbortSignal.any([signal, own.signal]), timeoutMs: ENDLESS_MS, onLine },
  )
  // Too late for one who has been answered; nobody listens any more then.
  const fail = (error: unknown): void => {
    pid.reject(error)
    open.reject(error)
  }
  pid.promise.catch(() => undefined)
  open.promise.catch(() => undefined)
  const ended = running.then((outcome) => fail(notKept(connection, argv[0] ?? '', outcome)), fail)
  return { pid: pid.promise, open: open.promise, ended, end: () => own.abort() }
}

/** ssh takes a colon for the end of a path. */
function escaped(path: string): string {
  return path.replace(/[\\:]/g, '\\$&')
}

function notKept({ options: { name } }: Connection, folder: string, { failure, exitCode, stderr }: Outcome): Refusal {
  const why = exitCode === 3 ? 'there is no such folder' : `${failure ?? 'it ended'}: ${stderr.trim()}`
  return refusal('hosts/tunnel', `host ${name}, ${folder}`, `no socket can be kept there: ${why}`)
}

function notForwarded({ options: { name } }: Connection, { stderr }: Outcome): Refusal {
  return refusal(
    'hosts/ssh-forwarding',
    `host ${name}`,
    `ssh forwards no sockets there: ${stderr.trim()}`,
    'sshd_config must not forbid it to this user: AllowStreamLocalForwarding, AllowTcpForwarding, DisableForwarding.',
  )
}
