import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { spawner } from '../src/hosts/local/spawner.ts'

/**
 * What it costs the event loop to start a program, by the memory that the process holds, and what it costs through the
 * small process of src/hosts/local/spawner.ts. Prints a table in Markdown.
 */
const ROUNDS = 40
const small = spawner()
const held: Buffer[] = []
process.stdout.write('| memory held, MB | started directly, ms | through the small process, ms |\n|--:|--:|--:|\n')
for (const megabytes of [0, 100, 200, 400]) {
  while (held.length < megabytes) held.push(Buffer.alloc(1024 * 1024, 1))
  const direct = await median(async () => {
    const began = performance.now()
    const child = spawn('true', { stdio: ['pipe', 'pipe', 'pipe'] })
    const took = performance.now() - began
    await once(child, 'close')
    return took
  })
  const through = await median(async () => {
    const began = performance.now()
    const running = small.run({ program: 'true', argv: [] })
    const took = performance.now() - began
    await running
    return took
  })
  process.stdout.write(`| ${megabytes} | ${direct.toFixed(2)} | ${through.toFixed(2)} |\n`)
}
await small.close()

/** The time in which nothing else can happen in this process. */
async function median(measureOnce: () => Promise<number>): Promise<number> {
  const all: number[] = []
  for (let round = 0; round < ROUNDS; round++) all.push(await measureOnce())
  return all.toSorted((a, b) => a - b)[ROUNDS / 2]!
}
