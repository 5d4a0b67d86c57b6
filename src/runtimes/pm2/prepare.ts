import { act } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Fence, Operation } from '../../hosts/operation.ts'
import { Refusal, problem, refusal } from '../../problem/problem.ts'
import { homeOperations, pm2Command } from './calls.ts'
import { scriptArgv } from './scripts.ts'

/** Makes sure that PM2 is there and that its daemon runs, so that the first start does not pay for it. */
export async function preparePm2(host: Host, fence: Fence, program: string): Promise<void> {
  await requirePrograms(host, program)
  const operations: readonly Operation[] = [
    ...homeOperations(fence.root),
    pm2Command({ root: fence.root, program }, ['ping']),
  ]
  await act(host, fence, operations, { label: 'prepare PM2' })
}

async function requirePrograms(host: Host, program: string): Promise<void> {
  const outcome = await host.run({ program: 'sh', argv: scriptArgv('prepare', [program]) })
  if (!outcome.ok) {
    throw refusal('runtimes/prepare', `host ${host.name}`, `cannot look for programs: ${outcome.stderr.trim()}`)
  }
  const missing = outcome.stdout.split('\n').filter((line) => line.startsWith('missing '))
  if (missing.length > 0) {
    throw new Refusal(missing.map((line) => missingProgram(host, line.slice('missing '.length), program)))
  }
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
