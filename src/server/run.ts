import { ensureToken, readAddress, removeAddress, writeAddress } from './home.ts'
import type { Home, ServerAddress } from './home.ts'
import { lockHome } from './lock.ts'
import type { ControlPlane } from '../release/control-plane.ts'
import type { HostOperations } from '../release/host-operations.ts'
import { createApp } from './app.ts'
import type { Health } from './app.ts'
import { serve } from './serve.ts'

/** A control plane with what it stands on, ready to work. */
export interface OpenControlPlane {
  readonly controlPlane: ControlPlane
  readonly hostOperations: HostOperations
  health(): Promise<Health>
  /** Stops working and lets go of everything; a release under way can be taken up later. */
  close(): Promise<void>
}

export interface RunOptions {
  readonly home: Home
  readonly host: string
  readonly port: number
  readonly version: string
  /** Called once the home is this process's own. */
  readonly open: () => Promise<OpenControlPlane>
  /** Ends the run. */
  readonly signal: AbortSignal
  readonly ready: (address: ServerAddress, crashed: boolean) => void
  readonly log: (line: string) => void
}

/** Runs a control plane in its home until the signal aborts or a client shuts it down. */
export async function runServer(options: RunOptions): Promise<void> {
  const { home, version, log } = options
  await using undo = new AsyncDisposableStack()
  const lock = await lockHome(home)
  undo.defer(() => lock.release())
  const token = await ensureToken(home)
  // Removed at every orderly end; what lies there under the lock was left by a crash.
  const crashed = (await readAddress(home)) !== undefined
  const opened = await options.open()
  undo.defer(() => opened.close())
  const stopped = new AbortController()
  const closing = AbortSignal.any([options.signal, stopped.signal])
  const { controlPlane, hostOperations } = opened
  const app = createApp({
    controlPlane,
    hostOperations,
    health: () => opened.health(),
    token,
    version,
    log,
    closing,
    shutdown: () => stopped.abort(),
  })
  const served = await serve({ app, host: options.host, port: options.port })
  undo.defer(() => served.close())
  const address = { url: served.url, pid: process.pid, startedAt: Date.now(), version }
  await writeAddress(home, address)
  undo.defer(() => removeAddress(home))
  options.ready(address, crashed)
  await aborted(closing)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
