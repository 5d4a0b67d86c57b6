import { createInterface } from 'node:readline/promises'
import type { Cli } from './cli.ts'

/** Whether there is a person to ask. */
export function mayAsk(cli: Cli): boolean {
  return !cli.json && !cli.quiet && cli.stdin.isTTY === true && cli.stdout.isTTY === true
}

/** Asks; anything but a yes is a no, and so is Ctrl-C or Ctrl-D. */
export async function confirm(cli: Cli, question: string): Promise<boolean> {
  const asking = createInterface({ input: cli.stdin, output: cli.stdout })
  try {
    const answer = await asking.question(`${question} [y/N] `)
    if (!/^y(es)?$/i.test(answer.trim())) return false
    cli.print('')
    return true
  } catch {
    cli.print('')
    return false
  } finally {
    asking.close()
  }
}
