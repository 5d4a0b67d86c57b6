import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { refusal } from '../../problem/problem.ts'
import { Secret } from '../../secrets/secret.ts'
import type { Command, Outcome, RunOptions } from '../host.ts'
import type { FromSpawner, PlainCommand, ToSpawner } from './spawner-messages.ts'

/** Runs commands of this machine from a small process. See {@link spawner}. */
export interface Spawner {
  run(this: void, command: Command, options?: RunOptions): Promise<Outcome>
  /** Commands under way go on until they end. */
  close(): Promise<void>
}

interface Waiting {
  readonly onLine: RunOptions['onLine']
  settle(outcome: Outcome): void
  fail(error: Error): void
}

/**
 * To start a program the operating system copies the page tables of the process that starts it, and stops that process
 * meanwhile: 4 ms for a small one, 25 ms for one that holds 400 MB, and a release starts hundreds of programs. So a small
 * process starts them for a large one, which keeps its event loop. It ends with it, and is started anew should it die.
 */
export function spawner(): Spawner {
  const waiting = new Map<number, Waiting>()
  let helper: ChildProcess | undefined
  let last = 0

  function helperProcess(): ChildProcess {
    if (helper?.connected === true) return helper
    const child = fork(new URL('spawner-process.ts', import.meta.url), {
      // A session of its own: Ctrl-C is meant for Drover, which decides what becomes of its commands.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: ['--max-semi-space-size=1'],
      serialization: 'advanced',
    })
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a process of ours, of the same version
    child.on('message', (message) => receive(message as FromSpawner))
    child.on('error', () => undefined)
    child.on('exit', () => {
      if (helper === child) helper = undefined
      loseAll()
    })
    child.unref()
    helper = child
    return child
  }

  function receive(message: FromSpawner): void {
    const one = waiting.get(message.id)
    if (message.kind === 'line') one?.onLine?.(message.line, message.stream)
    else one?.settle(message.outcome)
  }

  function loseAll(): void {
    for (const one of waiting.values())
      one.fail(
        refusal(
          'hosts/spawner-lost',
          'host local',
          'the process that runs commands has ended',
          'Was it killed, or is the memory short?',
        ),
      )
  }

  function send(message: ToSpawner): void {
    const child = helperProcess()
    // A command under way keeps this process alive, an idle helper does not.
    child.channel?.ref()
    child.send(message, (error) => {
      if (error !== null) waiting.get(message.id)?.fail(error)
    })
  }

  return {
    run(command, { signal, onLine, timeoutMs, maxOutputBytes } = {}) {
      const id = ++last
      return new Promise((resolve, reject) => {
        const abort = (): void => send({ kind: 'abort', id })
        const end = (): void => {
          waiting.delete(id)
          signal?.removeEventListener('abort', abort)
          if (waiting.size === 0) helper?.channel?.unref()
        }
        waiting.set(id, {
          onLine,
          settle: (outcome) => {
            end()
            resolve(outcome)
          },
          fail: (error) => {
            end()
            reject(error)
          },
        })
        send({
          kind: 'run',
          id,
          command: opened(command),
          wantsLines: onLine !== undefined,
          aborted: signal?.aborted === true,
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
          ...(maxOutputBytes === undefined ? {} : { maxOutputBytes }),
        })
        signal?.addEventListener('abort', abort, { once: true })
      })
    },
    async close() {
      const child = helper
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.ref()
      child.disconnect()
      await exited
    },
  }
}

/** Between the two processes secrets travel on a pipe that nobody else can read. */
function opened({ program, argv, stdin, env, cwd }: Command): PlainCommand {
  const open = (value: string | Secret): string => (value instanceof Secret ? value.open() : value)
  return {
    program,
    argv,
    ...(stdin === undefined ? {} : { stdin: open(stdin) }),
    ...(env === undefined
      ? {}
      : { env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, open(value)])) }),
    ...(cwd === undefined ? {} : { cwd }),
  }
}
