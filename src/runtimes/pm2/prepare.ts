import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence, Operation } from '../../hosts/operation.ts'
import { Refusal, problem, refusal } from '../../problem/problem.ts'
import { homeOperations, pm2Command } from './calls.ts'
import { pm2Home } from './home.ts'
import { scriptArgv } from './scripts.ts'

/** Makes sure that PM2 is there and that its daemon runs, so that the first start does not pay for it. */
export async function preparePm2(host: Host, fence: Fence, program: string): Promise<void> {
  // A daemon that runs already is left alone: asking it costs 0.2 s and more, in every release.
  if (await lookAround(host, program, pm2Home(fence.root).folder)) return
  const operations: readonly Operation[] = [
    ...homeOperations(fence.root),
    pm2Command({ root: fence.root, program }, ['ping']),
  ]
  await act(host, fence, operations, { label: 'prepare PM2' })
}

/** Whether the daemon of this home runs; a Refusal when a program is missing. */
async function lookAround(host: Host, program: string, home: string): Promise<boolean> {
  const outcome = await host.run({ program: 'sh', argv: scriptArgv('prepare', [program, home]) })
  if (!outcome.ok) {
    throw refusal('runtimes/prepare', `host ${host.name}`, `cannot look for programs: ${outcome.stderr.trim()}`)
  }
  const missing = outcome.stdout.split('\n').filter((line) => line.startsWith('missing '))
  if (missing.length > 0) {
    throw new Refusal(missing.map((line) => missingProgram(host, line.slice('missing '.length), program)))
  }
  return outcome.stdout.split('\n').includes('daemon runs')
}

function missingProgram(host: Host, missing: string, pm2: string): ReturnType<typeof problem> {
  const hint =
    missing === pm2
      ? 'Install it there with `npm install --global pm2`, or choose another runtime in drover.yaml.'
      : 'Install it on the host and put it on the PATH that Drover sees there.'
  return problem(
    'runtimes/missing-program',
    `host ${host.name}`,
    `${missing} is missing, the runtime pm2 needs it`,
    hint,
  )
}
