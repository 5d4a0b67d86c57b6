import { spawn } from 'node:child_process'
import type { StdioOptions } from 'node:child_process'

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string | Uint8Array
}

export interface Ended {
  /** 128 and more: ended by a signal. */
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Nothing of the bench may take longer: a tool that hangs is a result, not a reason to wait for ever. */
const LONGEST_MS = 10 * 60_000

/** Runs a program to its end, whatever that is, without standing in the way of the traffic that this process makes. */
export async function attempt(program: string, args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const { input, ...where } = options
  const stdio: StdioOptions = [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe']
  const child = spawn(program, args, { ...where, stdio, timeout: LONGEST_MS, killSignal: 'SIGKILL' })
  const output = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  // A program that ends before it has read everything is judged by its exit code.
  child.stdin?.on('error', () => undefined).end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ exitCode: code ?? 128, ...output }))
  })
}

/** The same for what has to succeed; rejects with the end of its output. */
export async function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const ended = await attempt(program, args, options)
  if (ended.exitCode === 0) return ended
  const said = `${ended.stdout}\n${ended.stderr}`.trim().split('\n').slice(-15).join('\n')
  throw new Error(`${program} ${args.join(' ').slice(0, 200)} ended with ${ended.exitCode}:\n${said}`)
}
