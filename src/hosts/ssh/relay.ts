import { constants } from 'node:os'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Command, Outcome, RunOptions } from '../host.ts'
import { keptOutput } from '../kept-output.ts'
import type { KeptOutput } from '../kept-output.ts'
import { lineSplitter } from '../line-splitter.ts'
import type { LineSplitter } from '../line-splitter.ts'
import { openDialogue } from '../local/dialogue.ts'
import type { Dialogue } from '../local/dialogue.ts'
import { Secret } from '../../secrets/secret.ts'
import { EMPTY, withLost } from './command-end.ts'
import type { Connection } from './connection.ts'
import { relayAnswers } from './relay-answers.ts'
import type { RelayAnswer } from './relay-answers.ts'
import { checkedName, withoutNul, wrapRelay } from './wrapper.ts'

/** A process on the host that starts commands, which is much cheaper than a session of sshd for each. */
export interface Relay {
  /** False: it is not ready yet, or over. */
  readonly open: boolean
  /** Commands are under way. */
  readonly busy: boolean
  /**
   * Whether it still answers. Asked before a command: one that went to a host which has been restarted meanwhile could not be
   * told from one that was lost in its midst. True also when nobody waits for the answer any more.
   */
  answers(signal?: AbortSignal): Promise<boolean>
  /** Runs a command while it is open. */
  run(command: Command, options: RelayOptions): Promise<Outcome>
  close(): Promise<void>
}

export interface RelayOptions extends Pick<RunOptions, 'onLine'> {
  /** What follows the command's own input. */
  readonly fed?: Buffer
  readonly maxOutputBytes: number
  /** Number of the process group of the command. */
  readonly onBegin: (group: number) => void
  /** The command is not waited for any longer; then it ends as `aborted`. */
  readonly abandoned: AbortSignal
}

/** The number of no command. */
const QUESTION = '0'
/** Who has said something so short ago need not be asked whether it is there. */
const FRESH_MS = 1_000
/** For a question; a relay that takes longer is left alone. */
const ANSWER_MS = 5_000
const PROGRAM = readFileSync(new URL('relay.pl', import.meta.url), 'utf8')

/** A command that the relay was told to start. */
interface Running {
  readonly streams: Readonly<Record<'out' | 'err', { readonly kept: KeptOutput; readonly lines: LineSplitter }>>
  readonly onBegin: (group: number) => void
  readonly end: (end: Partial<Outcome>) => void
  /** For a command that could not be started. */
  readonly names: readonly [program: string, folder: string]
}

export interface RelayEvents {
  readonly onOpen: () => void
  /** It ended, or never came to be. */
  readonly onOver: () => void
}

/** Opens a relay over a connection that is there already. When it cannot be had, it is never open. */
export function openRelay(connection: Connection, { onOpen, onOver }: RelayEvents): Relay {
  const running = new Map<string, Running>()
  let state: 'opening' | 'open' | 'over' = 'opening'
  let dialogue: Dialogue | undefined
  let commands = 0
  let heardAt = 0
  let asking: Promise<boolean> | undefined
  let answered: ((answer: boolean) => void) | undefined

  function over(): void {
    if (state === 'over') return
    state = 'over'
    answered?.(false)
    for (const id of running.keys()) ended(id, { failure: 'transport' })
    onOver()
  }

  function ended(id: string, end: Partial<Outcome>): void {
    const command = running.get(id)
    running.delete(id)
    dialogue?.hold(running.size > 0)
    command?.end(end)
  }

  function ask(): Promise<boolean> {
    asking ??= new Promise<boolean>((resolve) => {
      answered = resolve
      dialogue?.write(`${QUESTION} 0 0\n`)
    }).finally(() => (asking = undefined))
    return asking
  }

  function hear({ id, what, number, bytes }: RelayAnswer): void {
    heardAt = performance.now()
    if (id === QUESTION) answered?.(true)
    const command = running.get(id)
    if (command === undefined) return
    if (what === 'begin') command.onBegin(number)
    else if (what === 'missing') ended(id, { failure: 'not-found', stderr: notFound(command.names[number]) })
    else if (what === 'exit')
      ended(id, number === 0 ? { ok: true, exitCode: 0 } : { exitCode: number, failure: 'exit' })
    else if (what === 'signal') ended(id, { signal: signalName(number), failure: 'signal' })
    else {
      command.streams[what].kept.push(bytes)
      command.streams[what].lines.push(bytes)
    }
  }

  const ready = start().catch(over)

  async function start(): Promise<void> {
    const wrapped = wrapRelay(PROGRAM)
    const answers = relayAnswers(wrapped.mark, {
      onOpen() {
        state = 'open'
        heardAt = performance.now()
        onOpen()
      },
      onAnswer: hear,
      onGarbage: () => void dialogue?.end(),
    })
    dialogue = openDialogue(await connection.command(wrapped.login), {
      onData: (bytes) => answers.push(bytes),
      onOver: over,
    })
    dialogue.write(wrapped.stdin.open())
    dialogue.hold(running.size > 0)
  }

  return {
    get open() {
      return state === 'open'
    },
    get busy() {
      return running.size > 0
    },
    async answers(signal) {
      if (state !== 'open' || performance.now() - heardAt < FRESH_MS) return state === 'open'
      if (signal?.aborted === true) return true
      const waiting = new AbortController()
      const nobodyWaits =
        signal === undefined ? [] : [once(signal, 'abort', { signal: waiting.signal }).then(() => true)]
      try {
        return await Promise.race([ask(), delay(ANSWER_MS, false, { signal: waiting.signal }), ...nobodyWaits])
      } finally {
        waiting.abort()
      }
    },
    run(command, { onLine, maxOutputBytes, onBegin, abandoned, fed }) {
      return new Promise((resolve) => {
        const id = String((commands += 1))
        const started = performance.now()
        const stream = (name: 'stdout' | 'stderr'): Running['streams']['out'] => ({
          kept: keptOutput(maxOutputBytes),
          lines: lineSplitter((line) => onLine?.(line, name)),
        })
        const streams = { out: stream('stdout'), err: stream('stderr') }
        const end = (how: Partial<Outcome>): void => {
          streams.out.lines.end()
          streams.err.lines.end()
          const said = streams.err.kept.text()
          const stderr = how.failure === 'transport' ? withLost(said) : (how.stderr ?? said)
          const durationMs = performance.now() - started
          resolve({ ...EMPTY, ...how, stdout: streams.out.kept.text(), stderr, durationMs })
        }
        const order = renderOrder(id, command, fed)
        running.set(id, { streams, onBegin, end, names: [command.program, `working folder ${command.cwd}`] })
        abandoned.addEventListener('abort', () => ended(id, { failure: 'aborted' }), { once: true })
        if (state === 'over') return ended(id, { failure: 'transport' })
        dialogue?.hold(true)
        dialogue?.write(order)
      })
    },
    async close() {
      await ready
      await dialogue?.end()
    },
  }
}

function renderOrder(
  id: string,
  { program, argv, env = {}, cwd = '', stdin = '' }: Command,
  fed: Buffer = Buffer.alloc(0),
): Buffer {
  const variables = Object.entries(env).flatMap(([name, value]) => [checkedName(name), opened(value)])
  const words = [cwd, String(variables.length / 2), ...variables, program, ...argv]
  const text = Buffer.from(words.map((word) => `${withoutNul(word)}\0`).join(''))
  const input = Buffer.concat([Buffer.from(opened(stdin)), fed])
  return Buffer.concat([Buffer.from(`${id} ${text.length} ${input.length}\n`), text, input])
}

function opened(value: string | Secret): string {
  return value instanceof Secret ? value.open() : value
}

function notFound(name: string | undefined): string {
  return `cannot start ${name}: ENOENT`
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, each]) => each === number)?.[0] ?? `signal ${number}`
}
