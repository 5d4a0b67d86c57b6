import { relative } from 'node:path'
import type { Command, Host, Outcome } from '../hosts/host.ts'
import { Secret } from '../secrets/secret.ts'
import { halfApplied, newlyFinished, readRecords } from './applied-migrations.ts'
import { connect, sessionName, withConnection, withPassword } from './connection.ts'
import type { Connection, StoreAddress } from './connection.ts'
import { guardLocks } from './lock-guard.ts'
import type { LockWait } from './lock-guard.ts'
import { commandProcesses, environmentOf, migrationKey } from './migration-command.ts'
import { cutRefusal, failedRefusal, unreadableRefusal } from './migration-failure.ts'
import { COMMAND_SESSION, takeMigrationLock, waitForOrphans } from './migration-lock.ts'
import { endSessions, suspectsFromNowOn } from './sessions.ts'
import type { Suspects } from './sessions.ts'
import { transcript } from './transcript.ts'
import type { Transcript } from './transcript.ts'

export interface MigrationRun {
  /** Where the command runs. */
  readonly host: Host
  readonly store: StoreAddress
  /** Names the release to those who look into the database, such as `pakashop/production/42`. */
  readonly release: string
  /** Shell command line, run by `sh -c` in `cwd`. */
  readonly command: string
  readonly cwd: string
  /** Absent: the command may write where it runs. */
  readonly aside?: Aside
  /** The service's variables, the store's address among them. */
  readonly env: Readonly<Record<string, string | Secret>>
  /** The command, and each of its statements, may take this long. */
  readonly timeoutMs: number
  /** Longest wait for locks of one transaction. Queries of the application queue behind it for as long. */
  readonly lockTimeoutMs: number
  /** Longest wait for another migration of the database. Default: `timeoutMs`. */
  readonly waitMs?: number
  readonly signal: AbortSignal
  /** Lines of the command, without secrets, and of Drover's own waiting. */
  readonly onLine: (line: string) => void
}

/**
 * Tools keep caches beside themselves, such as node_modules/.cache, and an artifact has to stay as it was built: the
 * command runs at the place of `cwd` in a copy of `folder`. It is made of hard links: files of an artifact are read-only.
 */
export interface Aside {
  /** `cwd` lies in it. */
  readonly folder: string
  /** Where the copy lies while the command runs; on the same disk. */
  readonly copy: string
}

export interface MigrationResult {
  readonly outcome: 'applied' | 'nothing-to-do'
  /** What was applied, in order; absent when the tool keeps no table that Drover can read. */
  readonly migrations?: readonly string[]
  /** For the lock, and for an orphan of an earlier migration. */
  readonly waitedMs: number
  /** Of the command. */
  readonly durationMs: number
}

/**
 * Changes the schema of a store by the service's own command, one at a time per database. Safe to repeat after a kill
 * at any point: the lock ends with the connection, a command that outlived its Drover is waited for, and what has been
 * applied is read from the database. Throws a Refusal before anything runs (the store or the lock cannot be had) or
 * after the command failed, with the exact way out when a migration is half applied.
 */
export async function runMigration(run: MigrationRun): Promise<MigrationResult> {
  const secrets = [run.store.url, ...Object.values(run.env).filter((value) => value instanceof Secret)]
  const lines = transcript(secrets.flatMap(withPassword), run.onLine)
  const began = performance.now()
  const lock = await connect(run.store, sessionName('drover/', run.release))
  try {
    const patience = { limitMs: run.waitMs ?? run.timeoutMs, signal: run.signal, onWait: lines.add }
    await takeMigrationLock(lock, patience)
    const key = await migrationKey(lock)
    await waitForOrphans(lock, () => commandProcesses(run.host, key), patience)
    const waitedMs = performance.now() - began
    return { ...(await migrateUnderLock(run, { lock, key, lines })), waitedMs }
  } catch (error) {
    throw cutRefusal(error, lock.place, run.signal)
  } finally {
    await lock.close()
  }
}

interface Means {
  readonly lock: Connection
  readonly key: string
  readonly lines: Transcript
}

async function migrateUnderLock(run: MigrationRun, means: Means): Promise<Omit<MigrationResult, 'waitedMs'>> {
  const { store, release } = run
  const before = await readRecords(means.lock, store)
  const ran = await withConnection(store, sessionName('drover-watch/', release), (watch) =>
    runGuarded(run, { ...means, watch }),
  )
  // A session of its own, because the database may have been away while the command ran.
  const records = await withConnection(store, sessionName('drover/', release), async (session) => {
    if (ran.end.failure === 'timeout' || ran.end.failure === 'aborted') await endSessions(session, ran.suspects)
    return readRecords(session, store)
  }).catch((error: unknown) => {
    throw unreadableRefusal(error, { run, place: means.lock.place, lines: means.lines, ...ran })
  })
  if (!ran.end.ok || halfApplied(records ?? []).length > 0) {
    throw failedRefusal({ run, place: means.lock.place, lines: means.lines, ...ran, records: records ?? 'no table' })
  }
  const { durationMs } = ran.end
  if (records === undefined) return { outcome: 'applied', durationMs }
  const migrations = newlyFinished(before ?? [], records)
  return { outcome: migrations.length > 0 ? 'applied' : 'nothing-to-do', migrations, durationMs }
}

interface Ran {
  readonly end: Outcome
  readonly wait: LockWait | undefined
  readonly suspects: Suspects
}

/** Runs the command for as long as its lock is held and its sessions are watched, and not a moment longer. */
async function runGuarded(run: MigrationRun, means: Means & { readonly watch: Connection }): Promise<Ran> {
  const { host, timeoutMs } = run
  const applicationName = sessionName(COMMAND_SESSION, run.release)
  const suspects = await suspectsFromNowOn(means.watch, applicationName)
  const guard = guardLocks(means.watch, suspects, run.lockTimeoutMs)
  const signal = AbortSignal.any([run.signal, means.lock.lost, guard.failed])
  const env = environmentOf(run, { key: means.key, applicationName })
  try {
    const options = { signal, timeoutMs, onLine: means.lines.add }
    const end = await host.run({ ...commandOf(run), env }, options)
    return { end, wait: await guard.stop(), suspects }
  } finally {
    await guard.stop()
  }
}

/** `$1` is copied to `$2`, and `$4` runs in `$3` of it. What an earlier one left that was cut off goes first. */
const IN_A_COPY = `rm -rf -- "$2" && mkdir -p -- "\${2%/*}" && cp -al -- "$1" "$2" && cd -- "$2/$3" || exit 1
sh -c "$4"
code=$?
rm -rf -- "$2"
exit "$code"`

function commandOf({ command, cwd, aside }: MigrationRun): Command {
  if (aside === undefined) return { program: 'sh', argv: ['-c', command], cwd }
  const { folder, copy } = aside
  return { program: 'sh', argv: ['-c', IN_A_COPY, 'sh', folder, copy, relative(folder, cwd), command], cwd: folder }
}
