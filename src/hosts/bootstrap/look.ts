import { refusal } from '../../problem/problem.ts'
import type { Host } from '../host.ts'
import { probeArguments } from './probe-script.ts'
import type { ProbeOptions } from './probe-script.ts'
import { readState } from './state.ts'
import type { HostState } from './state.ts'

const LOOK_MS = 60_000

/** Asks a host about itself, in one round trip. Rejects with a Refusal when it cannot be reached, or answers garbage. */
export async function lookAt(host: Host, options: ProbeOptions, signal?: AbortSignal): Promise<HostState> {
  const outcome = await host.run(
    { program: 'sh', argv: probeArguments(options), summary: 'look at the host' },
    { timeoutMs: LOOK_MS, ...(signal === undefined ? {} : { signal }) },
  )
  const state = readState(outcome.stdout)
  if (state !== undefined) return state
  const said = `${outcome.stdout}\n${outcome.stderr}`.trim().split('\n').slice(-2).join('; ').slice(-200)
  throw refusal(
    'hosts/garbled',
    `host ${host.name}`,
    `does not answer as a Linux server does${said === '' ? '' : `: ${said}`}`,
    'Log in by hand: does a shell answer, and does nothing print in between?',
  )
}
