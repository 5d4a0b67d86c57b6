/**
 * The engine's SDK is used through its public interface except for what stands here (rules E4 and E12): each line is
 * a reason to read the SDK's source before its version is raised.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { DBOS, type DLogger, type WorkflowHandle } from '@dbos-inc/dbos-sdk'
import { DBOSExecutor } from '@dbos-inc/dbos-sdk/internal/dbos-executor'
import { dbRetryConfig, INTERNAL_QUEUE_NAME } from '@dbos-inc/dbos-sdk/internal/utils'
import { InvokedHandle } from '@dbos-inc/dbos-sdk/internal/workflow'
import { registerInternalQueue } from '@dbos-inc/dbos-sdk/internal/wfqueue'
import { type Secret, scrubUrlCredentials } from '../../secrets/secret.ts'
import { decode, encode } from '../json.ts'

/**
 * Never changed: recovery, queues and schedules find only rows of this version, so another string would strand what
 * is pending. Changes of a workflow's code are told apart by `Run.patch` instead.
 */
export const VERSION = 'drover-1'

/** One workflow of each partition at a time. */
export const LANES = 'lanes'

export interface LogEntry {
  readonly level: 'warn' | 'error'
  readonly message: string
}

/** Before `launch`: how quickly the SDK notices what it otherwise looks for once a second, or once a minute. */
export function configure(of: {
  readonly url: Secret
  readonly executor: string
  readonly onLog: (entry: LogEntry) => void
}): void {
  dbRetryConfig.initialBackoffSec = 0.1
  dbRetryConfig.maxBackoffSec = 2
  // Recovered workflows wait here for a worker.
  registerInternalQueue(INTERNAL_QUEUE_NAME, { minPollingIntervalMs: 100 })
  DBOS.setConfig({
    name: 'drover',
    systemDatabaseUrl: withIdleTimeout(of.url),
    systemDatabasePoolSize: 20,
    executorID: of.executor,
    applicationVersion: VERSION,
    enablePatching: true,
    serializer: { name: () => 'drover_json', stringify: encode, parse: (text) => (text ? decode(text) : undefined) },
    logger: loggerTo(of.onLog),
  })
}

/** After `launch`. */
export async function prepare(): Promise<void> {
  const executor = DBOSExecutor.globalInstance
  if (executor !== undefined) executor.systemDatabase.dbPollingIntervalCancelMs = 250
  await DBOS.setLatestApplicationVersion(VERSION)
  await DBOS.registerQueue(LANES, { partitionConcurrency: 1, minPollingIntervalMs: 50, onConflict: 'always_update' })
}

/**
 * Puts the pending workflows of these executors back into their queues, first in their lanes, in one atomic update.
 * Unlike the public `resumeWorkflows` it keeps lane and recovery count.
 */
export async function recoverExecutors(ids: readonly string[]): Promise<void> {
  await DBOSExecutor.globalInstance?.recoverPendingWorkflows([...ids])
}

const outside = AsyncLocalStorage.snapshot()

/**
 * Calls back once the outcome of a workflow is on record, if it was this very call that started it. For one that was
 * started before, the SDK would ask the database once a second.
 */
export function whenRecorded(handle: WorkflowHandle<unknown>, callBack: () => void): void {
  if (!(handle instanceof InvokedHandle)) return
  // Inside a workflow's context, asking would be a step of that workflow.
  outside(() => handle.getResult()).then(callBack, callBack)
}

const LOST_OWNERSHIP = 5
const CANCELLED = 24

/** Errors by which the SDK ends a body that it no longer wants an outcome from. They are not failures. */
export function endsTheRun(error: unknown): boolean {
  if (!(error instanceof Error) || !('dbosErrorCode' in error)) return false
  return error.dbosErrorCode === LOST_OWNERSHIP || error.dbosErrorCode === CANCELLED
}

/** Set by the address: the SDK would set it by a query that overlaps the connection's first one, which pg deprecates. */
function withIdleTimeout(url: Secret): string {
  const address = new URL(url.open())
  const options = address.searchParams.get('options') ?? ''
  address.searchParams.set('options', `${options} -c idle_in_transaction_session_timeout=60000`.trim())
  return address.toString()
}

function loggerTo(onLog: (entry: LogEntry) => void): DLogger {
  const write = (level: LogEntry['level']) => (entry: unknown) =>
    onLog({ level, message: scrubUrlCredentials(entry instanceof Error ? entry.message : String(entry)) })
  return { debug: () => undefined, info: () => undefined, warn: write('warn'), error: write('error') }
}
