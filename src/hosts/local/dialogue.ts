import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import type { Command } from '../host.ts'
import { childEnvironment } from './environment.ts'

/** A program of this machine that is spoken with for as long as it runs. */
export interface Dialogue {
  write(bytes: string | Buffer): void
  /** False: it keeps no process of Drover from its end. */
  hold(holds: boolean): void
  /** Ends it, and returns when it has ended. */
  end(): Promise<void>
}

export interface DialogueEvents {
  readonly onData: (bytes: Buffer) => void
  /** It has ended, or could not be started. Once. */
  readonly onOver: () => void
}

/** Starts a program in a process group of its own. What it says on stderr is left out. */
export function openDialogue({ program, argv, env, cwd }: Command, { onData, onOver }: DialogueEvents): Dialogue {
  const child = spawn(program, argv, {
    cwd,
    env: childEnvironment(env),
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  let isOver = false
  const closed = new Promise<void>((resolve) => {
    const over = (): void => {
      if (!isOver) onOver()
      isOver = true
      resolve()
    }
    child.once('error', over)
    child.once('close', over)
  })
  // What it does not read any more it has no use for; that it is over shows in its end.
  child.stdin.on('error', () => undefined)
  child.stdout.on('error', () => undefined)
  child.stdout.on('data', onData)

  function hold(holds: boolean): void {
    const how = holds ? 'ref' : 'unref'
    child[how]()
    for (const pipe of [child.stdin, child.stdout]) if (pipe instanceof Socket) pipe[how]()
  }

  return {
    write: (bytes) => void child.stdin.write(bytes),
    hold,
    async end() {
      if (isOver) return
      hold(true)
      child.stdin.end()
      child.kill()
      await closed
    },
  }
}
