import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../../problem/problem.ts'
import type { ReleaseDocument } from '../../release/documents.ts'
import type { ReleaseEvent, ReleaseOutcome } from '../../release/records.ts'
import { actorOf } from '../actor.ts'
import type { Cli } from '../cli.ts'
import type { Client } from '../client/client.ts'
import { reconnect } from '../client/connect.ts'
import { ConnectionLost } from '../client/http.ts'
import { openScreen } from './screen.ts'
import type { Screen } from './screen.ts'
import { reduce, viewOf, withLink, withRecord } from './state.ts'
import type { ReleaseView } from './state.ts'

export interface FollowOptions {
  /** What a first Ctrl-C does; a second one always leaves the release to itself. */
  readonly interrupt: 'cancel' | 'leave'
}

/** How following ended: with the release, or before it. */
export type Followed =
  | { readonly how: 'ended'; readonly outcome: ReleaseOutcome; readonly interrupted: boolean }
  /** The person left it. */
  | { readonly how: 'left' }
  /** The control plane was stopped, or stayed away; the release goes on when it is back. */
  | { readonly how: 'alone' }

/** Shows a release until it has ended, over restarts of the control plane, and lets the person cancel or leave it. */
export async function follow(
  cli: Cli,
  client: Client,
  release: ReleaseDocument,
  options: FollowOptions,
): Promise<Followed> {
  const view = viewOf(release)
  const screen = await openScreen(cli, view)
  const following = new Following({ cli, client, release, view, screen })
  const stopListening = cli.onInterrupt(() => following.interrupted(options.interrupt))
  try {
    return await following.toItsEnd()
  } finally {
    stopListening()
    screen.close()
  }
}

interface Parts {
  readonly cli: Cli
  readonly client: Client
  readonly release: ReleaseDocument
  readonly view: ReleaseView
  readonly screen: Screen
}

/** One release being watched: which events were seen, and what the person at the keyboard wants. */
class Following {
  readonly #cli: Cli
  readonly #release: ReleaseDocument
  readonly #screen: Screen
  readonly #left = new AbortController()
  #client: Client
  #view: ReleaseView
  #afterId: number | undefined
  #wantsCancel = false

  constructor({ cli, client, release, view, screen }: Parts) {
    this.#cli = cli
    this.#client = client
    this.#release = release
    this.#view = view
    this.#screen = screen
  }

  async toItsEnd(): Promise<Followed> {
    for (;;) {
      try {
        for await (const event of this.#client.events(this.#release, this.#position())) await this.#take(event)
        return await this.#ended()
      } catch (error) {
        if (this.#left.signal.aborted) return { how: 'left' }
        if (!(error instanceof ConnectionLost)) throw error
        if (!(await this.#comeBack())) return { how: 'alone' }
      }
    }
  }

  interrupted(wish: FollowOptions['interrupt']): void {
    if (wish === 'leave' || this.#wantsCancel) {
      this.#left.abort()
      return
    }
    this.#wantsCancel = true
    this.#view = withLink(this.#view, 'cancelling')
    this.#screen.say(this.#view, 'cancelling: going back to what was live; Ctrl-C again leaves the release to itself')
    void this.#cancel()
  }

  #position(): { afterId?: number; signal: AbortSignal } {
    return { signal: this.#left.signal, ...(this.#afterId === undefined ? {} : { afterId: this.#afterId }) }
  }

  async #take(event: ReleaseEvent): Promise<void> {
    const before = this.#view
    this.#afterId = event.id
    this.#view = reduce(before, event)
    if (event.body.kind === 'phase') await this.#learnCommit()
    this.#screen.event(this.#view, event, before)
  }

  /** The commit is known once its step is over, and no event tells it. */
  async #learnCommit(): Promise<void> {
    if (this.#view.commit !== undefined || ['queued', 'source'].includes(this.#view.phase)) return
    try {
      this.#view = withRecord(this.#view, await this.#client.release(this.#release))
    } catch (error) {
      // Asked again with the next phase.
      if (!(error instanceof ConnectionLost)) throw error
    }
  }

  async #ended(): Promise<Followed> {
    const release = await this.#client.release(this.#release)
    this.#view = withLink(withRecord(this.#view, release), undefined)
    this.#screen.end(this.#view, release)
    const outcome = release.outcome ?? this.#view.ended?.outcome
    if (outcome === undefined) throw new Error(`release ${release.number} has ended without an outcome`)
    return { how: 'ended', outcome, interrupted: this.#wantsCancel }
  }

  async #cancel(): Promise<void> {
    try {
      await this.#client.cancel(this.#release, actorOf(this.#cli))
    } catch (error) {
      // It ended first, which its last event tells; or nobody answers, and it is asked again when somebody does.
      if (error instanceof Refusal || error instanceof ConnectionLost) return
      const why = error instanceof Error ? error.message : String(error)
      this.#screen.say(this.#view, `the release could not be cancelled: ${why}`)
    }
  }

  /** Whether the control plane is back. What it told while it was away is asked for again by number. */
  async #comeBack(): Promise<boolean> {
    this.#view = withLink(this.#view, 'lost')
    this.#screen.say(this.#view, 'the control plane does not answer; waiting for it')
    // A line of its own would break the picture.
    const quiet = { ...this.#cli, note: (text: string) => this.#screen.say(this.#view, text) }
    const found = await Promise.race([reconnect(quiet), once(this.#left.signal)])
    if (found === undefined) return this.#left.signal.aborted
    this.#client = found
    this.#view = withLink(this.#view, this.#wantsCancel ? 'cancelling' : undefined)
    this.#screen.say(this.#view, 'the control plane is back; following on')
    if (this.#wantsCancel) await this.#cancel()
    // A stream that ends at once, again and again, must not become a busy loop.
    await sleep(100)
    return true
  }
}

function once(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }))
}
