import { runLocally } from './run.ts'
import type { FromSpawner, ToSpawner } from './spawner-messages.ts'

/** The small process of spawner.ts: runs what its parent says, and ends when that ends. */
const aborts = new Map<number, AbortController>()

process.on('message', (message: ToSpawner) => {
  if (message.kind === 'abort') aborts.get(message.id)?.abort()
  else void run(message)
})
// What runs goes on: hosts keep what a killed Drover left under way apart from what comes after it.
process.on('disconnect', () => process.exit(0))

type RunMessage = Extract<ToSpawner, { kind: 'run' }>

async function run({ id, command, wantsLines, aborted, ...options }: RunMessage): Promise<void> {
  const abort = new AbortController()
  if (aborted) abort.abort()
  aborts.set(id, abort)
  const outcome = await runLocally(command, {
    ...options,
    signal: abort.signal,
    ...(wantsLines ? { onLine: (line, stream) => tell({ kind: 'line', id, line, stream }) } : {}),
  })
  aborts.delete(id)
  tell({ kind: 'outcome', id, outcome })
}

function tell(message: FromSpawner): void {
  process.send?.(message)
}
