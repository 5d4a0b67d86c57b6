import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Order } from '../../../src/release/records.ts'

/** Sent once, first of all. */
export interface Orders {
  readonly home: string
  readonly sshConfig: string
}

export type Question =
  | { readonly ask: 'request'; readonly order: Order }
  /** How many hosts are marked as behind. */
  | { readonly ask: 'behind' }
  /** What it does by itself every so often, now. */
  | { readonly ask: 'upkeep' }
  /** The fault points that it has come to since it was last asked. */
  | { readonly ask: 'reached' }
  /** At the next such point: ends as by kill -9; waits for `go`; stops as by SIGSTOP; only says so. */
  | { readonly ask: 'arm'; readonly point: string; readonly effect: 'die' | 'hold' | 'freeze' | 'tell' }
  | { readonly ask: 'disarm' }
  | { readonly ask: 'go' }
  /** Its clock is wrong by so much from now on. */
  | { readonly ask: 'shift'; readonly ms: number }
  | { readonly ask: 'teardown' }

export type Told =
  | { readonly number: number; readonly value?: unknown; readonly failure?: string }
  | { readonly point: string }
  | { readonly line: string }

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** `performance.now()` when it was known. */
  readonly at: number
}

/** A control plane in a process of its own. */
export class Steered {
  /** How it ended. */
  readonly exited: Promise<Exit>
  /** What it logged, for whoever has to find out what went wrong. */
  readonly lines: string[] = []
  readonly home: string
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #points = quietly<string>()
  #asked = 0

  constructor(orders: Orders, databaseUrl: string) {
    this.home = orders.home
    const env = { ...process.env, DATABASE_URL: databaseUrl }
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const
    this.#child = fork(join(import.meta.dirname, 'steered-process.ts'), { env, stdio: [...stdio] })
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve({ code, signal, at: performance.now() }))
    })
    this.#child.on('message', (told: Told) => this.#hear(told))
    void this.exited.then(() => this.#failAll())
    this.#expect(0)
    this.#child.send(orders)
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Once it works. */
  async opened(): Promise<this> {
    await this.#waiting.get(0)?.promise
    return this
  }

  async ask<T = undefined>(question: Question): Promise<T> {
    const number = ++this.#asked
    const answer = this.#expect(number)
    this.#child.send({ number, question }, (error) => error !== null && answer.reject(error))
    return answer.promise as Promise<T>
  }

  /** Arms a point; `reached` is when it comes there, and rejects when the process ends before or in it. */
  async arm(
    point: string,
    effect: (Question & { ask: 'arm' })['effect'],
  ): Promise<{ readonly reached: Promise<string> }> {
    this.#points = quietly()
    const reached = this.#points.promise
    await this.ask({ ask: 'arm', point, effect })
    return { reached }
  }

  signal(name: 'SIGKILL' | 'SIGCONT' | 'SIGSTOP'): void {
    this.#child.kill(name)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited
  }

  /** Once the kernel says that it is stopped. */
  async frozen(): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      const status = await readFile(`/proc/${this.pid}/stat`, 'utf8')
      if (/\) T /.test(status)) return
      await delay(10)
    }
    throw new Error('the control plane was not stopped')
  }

  #expect(number: number): PromiseWithResolvers<unknown> {
    const answer = quietly<unknown>()
    this.#waiting.set(number, answer)
    return answer
  }

  #hear(told: Told): void {
    if ('line' in told) this.lines.push(told.line)
    else if ('point' in told) this.#points.resolve(told.point)
    else if (told.failure === undefined) this.#waiting.get(told.number)?.resolve(told.value)
    else this.#waiting.get(told.number)?.reject(new Error(told.failure))
  }

  #failAll(): void {
    const error = new Error(`the control plane has ended: ${this.lines.slice(-5).join(' | ')}`)
    for (const answer of [...this.#waiting.values(), this.#points]) answer.reject(error)
  }
}

/** A process may end before anybody waits for its answer. */
function quietly<T>(): PromiseWithResolvers<T> {
  const made = Promise.withResolvers<T>()
  made.promise.catch(() => undefined)
  return made
}
