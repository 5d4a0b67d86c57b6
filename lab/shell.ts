import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Runs a program of this machine to its end and gives its stdout. Rejects, with its stderr, when it fails. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await execute(program, args, { maxBuffer: 16 * 1024 * 1024 })
  return stdout
}

/** The same for what may be done already, or may be gone: true when the program succeeded. */
export async function attempt(program: string, args: readonly string[]): Promise<boolean> {
  return run(program, args).then(
    () => true,
    () => false,
  )
}

/** Asks until the answer is yes. Rejects after `seconds` with what was waited for. */
export async function until(what: string, seconds: number, answer: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + seconds * 1000
  while (!(await answer())) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
