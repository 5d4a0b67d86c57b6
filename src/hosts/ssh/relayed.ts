import { setTimeout as sleep } from 'node:timers/promises'
import { readFile } from 'node:fs/promises'
import type { Command, Outcome } from '../host.ts'
import {
  DEFAULT_MAX_OUTPUT,
  DEFAULT_TIMEOUT_MS,
  EMPTY,
  KILL_TIMEOUT_MS,
  LINGER_MS,
  ON_ITS_WAY_MS,
  endOfGroup,
  mayStillRun,
} from './command-end.ts'
import type { Connection } from './connection.ts'
import { openRelay } from './relay.ts'
import type { Relay } from './relay.ts'
import type { Feed, SessionOptions } from './session.ts'

/** After so long without a command the connection may close by itself, as if there had never been a relay. */
const IDLE_MS = 60_000

/** Runs a command through a relay. Ends in every way in which a command in a session of its own does. */
export async function runRelayed(relay: Relay, command: Command, options: SessionOptions): Promise<Outcome> {
  const { signal, onLine, timeoutMs = DEFAULT_TIMEOUT_MS, maxOutputBytes = DEFAULT_MAX_OUTPUT } = options
  const fed = options.feed === undefined ? undefined : await contentsOf(options.feed)
  if (signal?.aborted === true) return { ...EMPTY, failure: 'aborted' }
  const over = new AbortController()
  let group: number | undefined
  let cut: 'timeout' | 'aborted' | undefined
  let ending: Promise<string> | undefined
  const end = (reason: 'timeout' | 'aborted'): void => {
    cut ??= reason
    ending ??= endGroup(relay, () => group, over.signal).finally(() => setTimeout(() => over.abort(), LINGER_MS))
  }
  const onAbort = (): void => end('aborted')
  const timer = setTimeout(() => end('timeout'), timeoutMs)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const outcome = await relay.run(command, {
      maxOutputBytes,
      abandoned: over.signal,
      onBegin: (number) => (group = number),
      ...(onLine === undefined ? {} : { onLine }),
      ...(fed === undefined ? {} : { fed }),
    })
    if (cut === undefined || outcome.failure === 'not-found') return outcome
    return { ...outcome, ok: false, failure: cut, stderr: outcome.stderr + ((await ending) ?? '') }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

/** A file that cannot be read is left out, as it is where a program reads them: the host tells what did not arrive. */
async function contentsOf({ text, files }: Feed): Promise<Buffer> {
  const contents = await Promise.all(files.map((file) => readFile(file).catch(() => Buffer.alloc(0))))
  return Buffer.concat([Buffer.from(text), ...contents])
}

/** Says so when it could not be done. */
async function endGroup(relay: Relay, groupNow: () => number | undefined, over: AbortSignal): Promise<string> {
  const deadline = performance.now() + ON_ITS_WAY_MS
  while (groupNow() === undefined && !over.aborted && performance.now() < deadline) await sleep(20)
  const group = groupNow()
  if (group === undefined) return ''
  const abandoned = AbortSignal.timeout(KILL_TIMEOUT_MS)
  const options = { maxOutputBytes: DEFAULT_MAX_OUTPUT, abandoned, onBegin: () => undefined }
  const { ok } = relay.open ? await relay.run(endOfGroup(group), options) : EMPTY
  return ok ? '' : mayStillRun(group)
}

/** Who comes next makes a connection, and others wait for it. */
async function tellLost(connection: Connection): Promise<void> {
  const entry = await connection.enter()
  entry.left('lost')
}

/** Has a relay where one is worth it: for a host that is asked more than once. */
export interface Relays {
  /** Called before each command: one that is open, or undefined. */
  take(): Relay | undefined
  /** Called after a command that had none. */
  prepare(): void
  close(): Promise<void>
}

/** Opens a relay again after its connection was lost, and gives up for a while where there can be none. */
export function relays(connection: Connection): Relays {
  let relay: Relay | undefined
  let uses = 0
  let notBefore = 0
  let closing = false
  let idle: NodeJS.Timeout | undefined

  function open(): void {
    let opened = false
    const mine = openRelay(connection, {
      onOpen: () => (opened = true),
      onOver() {
        if (relay === mine) relay = undefined
        if (!opened) notBefore = performance.now() + IDLE_MS
        if (opened && !closing) tellLost(connection).catch(() => undefined)
      },
    })
    relay = mine
  }

  function rest(): void {
    const mine = relay
    if (mine?.busy === true) return restLater()
    relay = undefined
    void mine?.close()
  }

  function restLater(): void {
    clearTimeout(idle)
    idle = setTimeout(rest, IDLE_MS).unref()
  }

  return {
    take() {
      restLater()
      uses += 1
      return relay?.open === true ? relay : undefined
    },
    prepare() {
      if (relay !== undefined || closing || uses < 2 || performance.now() < notBefore) return
      if (connection.hasAnswered()) open()
    },
    async close() {
      closing = true
      clearTimeout(idle)
      await relay?.close()
    },
  }
}
