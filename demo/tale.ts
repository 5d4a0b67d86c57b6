import { drover, release } from './acts.ts'
import type { Ending, Say } from './acts.ts'
import type { Stage } from './stage.ts'
import { startTraffic } from './traffic.ts'
import type { Target, Traffic } from './traffic.ts'
import type { TrafficReport } from './traffic-record.ts'

/** How long a host was down on purpose, or not yet up, for those who ask it. Times are milliseconds since the epoch. */
export interface Broken {
  readonly from: number
  readonly to: number
}

/** A step of the demo. Times are milliseconds since the epoch. */
export interface Scene extends Ending {
  readonly title: string
  readonly from: number
  readonly to: number
  readonly expectedExit: number
  /** What came of it, where it is no release. */
  readonly word?: string
  /** When something was broken on purpose under the requests that were being served there. */
  readonly broken?: Broken
}

export interface Row {
  readonly scene: Scene
  /** Of all requests that were sent from the begin of the scene to that of the next; absent before there were any. */
  readonly traffic?: TrafficReport
  /** Of those that failed, the ones that were where something was broken at that moment. */
  readonly lost: number
}

export interface SceneOptions {
  readonly expectedExit?: number
  /** What else happens while the command runs; may give when it broke something. */
  readonly meanwhile?: () => Promise<Broken | void>
}

/** A scene ended otherwise than it was told; what follows would make no sense. */
export class Astray extends Error {}

/** The demo as it is told: one scene after the other, with or without traffic. */
export interface Tale {
  /**
   * A command that asks for a release. Throws once the demo was interrupted, and an {@link Astray} when it ended with
   * another exit code than was expected, as every scene does.
   */
  release(title: string, command: readonly string[], options?: SceneOptions): Promise<void>
  /** Another command; `word` is what it comes to when it goes well. */
  command(title: string, command: readonly string[], word: string): Promise<void>
  /** What no command does. */
  event(title: string, work: () => Promise<Pick<Scene, 'word' | 'exitCode' | 'broken'>>): Promise<void>
  /** A command to look at things: no scene of its own. */
  look(...command: string[]): Promise<void>
  /** From here on there are users. */
  openDoors(targets: readonly Target[]): void
  /** What has been told so far, once all requests of it have their answers. */
  rows(): Promise<Row[]>
  /** Sends no more requests. */
  end(): Promise<void>
}

export interface Telling {
  readonly stage: Stage
  readonly say: Say
  readonly requestsPerSecond: number
  readonly interrupted: AbortSignal
}

/** A request that was answered within this time before something was broken was not there any more. */
const BEFORE_MS = 2_000

export function openTale({ stage, say, requestsPerSecond, interrupted }: Telling): Tale {
  const scenes: Scene[] = []
  let traffic: Traffic | undefined
  const announce = (title: string, command?: readonly string[]): number => {
    interrupted.throwIfAborted()
    say(`\n── ${title}${command === undefined ? '' : `\n$ drover ${command.join(' ')}`}\n`)
    return Date.now()
  }
  const play = (scene: Scene): void => {
    scenes.push(scene)
    if (scene.exitCode !== scene.expectedExit) throw new Astray(scene.title)
  }
  return {
    release: async (title, command, { expectedExit = 0, meanwhile } = {}) => {
      const from = announce(title, command)
      const [ending, broken] = await Promise.all([release(stage, command), meanwhile?.()])
      play({ title, from, to: Date.now(), expectedExit, ...ending, ...(broken && { broken }) })
    },
    command: async (title, command, word) => {
      const from = announce(title, command)
      const exitCode = await drover(stage, ...command)
      play({ title, from, to: Date.now(), exitCode, expectedExit: 0, word })
    },
    event: async (title, work) => {
      const from = announce(title)
      const came = await work()
      play({ title, from, to: Date.now(), expectedExit: 0, ...came })
    },
    look: async (...command) => {
      interrupted.throwIfAborted()
      say(`\n$ drover ${command.join(' ')}\n`)
      await drover(stage, ...command)
    },
    openDoors: (targets) => {
      traffic = startTraffic({ targets, requestsPerSecond, seed: 1 })
    },
    rows: async () => {
      const now = Date.now()
      await traffic?.settled()
      return scenes.map((scene, index) => rowOf(scene, traffic, scenes[index + 1]?.from ?? now))
    },
    end: async () => traffic?.stop(),
  }
}

function rowOf(scene: Scene, traffic: Traffic | undefined, to: number): Row {
  const report = traffic?.report(scene.from, to)
  if (report === undefined || traffic === undefined || report.sent === 0) return { scene, lost: 0 }
  const { broken } = scene
  const lost = broken === undefined ? 0 : traffic.report(broken.from - BEFORE_MS, broken.to).failed
  return { scene, traffic: report, lost }
}
