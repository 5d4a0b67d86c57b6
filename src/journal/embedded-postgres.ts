import { spawn, type SpawnOptions } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { errorCode } from '../hosts/error-code.ts'
import { Secret } from '../secrets/secret.ts'
import { type Binaries, installBinaries } from './embedded/binaries.ts'
import { ensureCluster, type Program, readPassword, SUPERUSER } from './embedded/cluster.ts'
import { type Hold, hold } from './embedded/hold.ts'
import { choosePlaces, type Places } from './embedded/places.ts'
import { choosePort } from './embedded/port.ts'
import { findPostmaster, type Postmaster, removeStaleLock, stopPostmaster } from './embedded/postmaster.ts'
import { startRefusal } from './embedded/trouble.ts'

export interface EmbeddedPostgres {
  /** `postgresql://drover:…@127.0.0.1:<port>/drover` */
  readonly url: Secret
  /** Of the server that runs now. */
  readonly pid: number
  /** True when the server ran already: its Drover was killed, or another one on the same folder still uses it. */
  readonly adopted: boolean
  /** Stops the server, unless another Drover holds it too. Close your own connections first. */
  stop(): Promise<void>
}

/** A small footprint: idle it takes about 30 MB. Durability is not traded away: every commit reaches the disk. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '24MB',
  max_wal_size: '128MB',
  min_wal_size: '32MB',
  max_parallel_workers: '0',
  max_worker_processes: '2',
  autovacuum_max_workers: '1',
  max_wal_senders: '2',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

/** All that is needed to start the server, or to find the one that runs. */
interface Installation {
  readonly places: Places
  readonly binaries: Binaries
  readonly password: Secret
  readonly settings: Readonly<Record<string, string>>
}

interface HeldServer {
  readonly server: Postmaster
  readonly hold: Hold
  readonly adopted: boolean
}

/**
 * Starts the database that Drover brings with it, or adopts the one that a killed Drover left running on `folder`,
 * and starts it again whenever it dies. It listens on loopback, on a port that it keeps, with a random password. It
 * is a session of its own, so that Ctrl-C in Drover's terminal does not reach it, and outlives a killed Drover; only
 * `stop` ends it.
 *
 * `folder` must be Drover's own; see {@link choosePlaces} for where the data lies. `cache` is where the programs are
 * copied to, once per version. `settings` go before those of postgresql.conf and before Drover's own. Throws a Refusal
 * when the server cannot start.
 */
export async function startEmbeddedPostgres(options: {
  readonly folder: string
  readonly cache?: string
  readonly settings?: Readonly<Record<string, string>>
}): Promise<EmbeddedPostgres> {
  const places = await choosePlaces(options.folder, options.cache)
  const binaries = await installBinaries(places.cache)
  await ensureCluster(places, program(binaries.initdb, places))
  const settings = { ...SETTINGS, ...options.settings }
  const installation = { places, binaries, password: await readPassword(places), settings }
  const first = await obtain(installation, () => choosePort(places.folder))
  return keepUp(installation, first)
}

/** A server may stop or start under our eyes, and a free port may be taken: look again rather than give up. */
async function obtain(installation: Installation, port: () => Promise<number>): Promise<HeldServer> {
  const { places } = installation
  for (let tries = 1; ; tries++) {
    const running = await findPostmaster(places.data)
    const server = running ?? (await launch(installation, await port()))
    const held = await holdServer(server, installation)
    if (held !== undefined) {
      // One that came second to another's lives for a moment, and what answers at its port is the other's.
      const first = (await findPostmaster(places.data)) ?? server
      return { server: first, hold: held, adopted: running !== undefined || first.pid !== server.pid }
    }
    if (running !== undefined) await stopUnlessHeld(running, places)
    if (tries === 5) throw startRefusal('did not start', await readLog(places), places.folder)
  }
}

/** Looks after the server until it is stopped: its address is given out, so it comes back at the same one. */
function keepUp(installation: Installation, first: HeldServer): EmbeddedPostgres {
  const { data } = installation.places
  const { port } = first.server
  const ending = new AbortController()
  let now = first
  async function watch(): Promise<void> {
    while (await pause(500, ending.signal)) {
      if ((await findPostmaster(data))?.pid === now.server.pid) continue
      now = await obtain(installation, () => Promise.resolve(port)).catch(() => now)
    }
  }
  const watching = watch()
  return {
    url: address(first.server, installation.password, 'drover'),
    adopted: first.adopted,
    get pid() {
      return now.server.pid
    },
    async stop() {
      ending.abort()
      await watching
      if (await now.hold.release()) await stopPostmaster(now.server.pid, data)
    },
  }
}

function program(path: string, places: Places): Program {
  return async (argv) => {
    const child = spawn(path, argv, { ...asServer(places), stdio: ['ignore', 'ignore', 'pipe'] })
    const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
    const [exitCode, errors] = await Promise.all([ended, text(child.stderr)])
    return { exitCode, errors }
  }
}

/** The folder that Drover was started in may be closed to the server's user. */
function asServer(places: Places): SpawnOptions {
  return { ...places.user, cwd: '/', env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' } }
}

async function launch({ places, binaries, settings }: Installation, port: number): Promise<Postmaster> {
  await removeStaleLock(places.data)
  const all = Object.entries({ ...settings, port: String(port) }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = openSync(join(places.folder, 'server.log'), 'a', 0o600)
  const child = spawn(binaries.postgres, ['-D', places.data, ...all], {
    ...asServer(places),
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  child.unref()
  return { pid: child.pid ?? 0, port }
}

/** Undefined when the server is gone, is another one's, or does not answer within 30 s (recovery takes a while). */
async function holdServer(server: Postmaster, of: Installation): Promise<Hold | undefined> {
  for (const end = performance.now() + 30_000; performance.now() < end; await delay(20)) {
    if (!isAlive(server.pid)) return undefined
    const held = await hold((database) => connect(address(server, of.password, database)), of.places.data)
    if (held !== 'not yet') return held
  }
  return undefined
}

async function connect(url: Secret): Promise<Client> {
  const client = new Client({ connectionString: url.open(), connectionTimeoutMillis: 2000 })
  // A client that loses its server says so here even when nobody waits for an answer.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** A server that will not be held is on its way out, wedged, or started with a password that is lost. */
async function stopUnlessHeld(server: Postmaster, places: Places): Promise<void> {
  if ((await findPostmaster(places.data))?.pid === server.pid) await stopPostmaster(server.pid, places.data)
}

function address(server: Postmaster, password: Secret, database: string): Secret {
  return new Secret(`postgresql://${SUPERUSER}:${password.open()}@127.0.0.1:${server.port}/${database}`)
}

/** False at once when the signal aborts. Does not keep the process alive. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return delay(ms, true, { signal, ref: false }).catch(() => false)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

async function readLog(places: Places): Promise<string> {
  return readFile(join(places.folder, 'server.log'), 'utf8').catch(() => '')
}
