import { refusal } from '../problem/problem.ts'
import type { Refusal } from '../problem/problem.ts'
import type { Host } from './host.ts'

/** The refusal for what was under way when the connection was lost; `hosts/cut-off` means that it may be tried again. */
export function cutOff(at: string, said: string): Refusal {
  const what = `the connection was lost on the way${said === '' ? '' : `: ${said}`}`
  return refusal('hosts/cut-off', at, what, 'Is the host going down, or the network? Everything may be repeated.')
}

/** A host that does not answer with half of what a command said when the connection is lost meanwhile: it refuses. */
export function tellingCuts(host: Host): Host {
  return {
    ...host,
    async run(command, options) {
      const outcome = await host.run(command, options)
      if (outcome.failure !== 'transport') return outcome
      throw cutOff(
        `host ${host.name}, ${command.summary ?? command.program}`,
        outcome.stderr.trim().split('\n').at(-1) ?? '',
      )
    },
  }
}
