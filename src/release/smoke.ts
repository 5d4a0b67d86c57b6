import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import type { Probe } from '../hosts/host.ts'
import type { Secret } from '../secrets/secret.ts'
import type { ReleaseSet } from './records.ts'
import type { Site } from './scope.ts'

const TRIES = 3
const PROBE_MS = 3000

export interface SmokeInput {
  readonly site: Site
  readonly set: ReleaseSet
  readonly services: readonly string[]
  /** Asks the set that is not live yet instead of the live one. */
  readonly token?: Secret
  readonly signal: AbortSignal
}

/**
 * Asks the smoke paths of services through the router, as a client would; a path is given three tries. One problem
 * per path that did not answer 2xx or 3xx.
 */
export async function askSmoke(input: SmokeInput): Promise<Problem[]> {
  let questions = input.services.flatMap((service) => questionsOf(input, service))
  let problems: Problem[] = []
  for (let round = 0; round < TRIES && questions.length > 0; round++) {
    if (round > 0) await new Promise((resolve) => setTimeout(resolve, 200))
    const answers = await input.site.host.probe(
      questions.map((question) => question.probe),
      input.signal,
    )
    const failed = questions.flatMap((question, index) => {
      const { status, error } = answers[index]!
      return status !== undefined && status < 400 ? [] : [{ question, said: status ?? error ?? 'nothing' }]
    })
    questions = failed.map(({ question }) => question)
    problems = failed.map(({ question, said }) =>
      problem(
        'release/smoke',
        `service ${question.service} on ${input.site.host.name}`,
        `${question.probe.path} answered ${said}`,
        `\`drover logs\` of ${question.service} may say why.`,
      ),
    )
  }
  return problems
}

function questionsOf(input: SmokeInput, service: string): { service: string; probe: Probe }[] {
  const definition = input.set[service]?.definition
  if (definition?.port === undefined) return []
  const headers = input.token === undefined ? {} : { headers: { 'x-drover-set': input.token.open() } }
  return definition.smoke.map((path) => ({
    service,
    probe: { port: definition.port!, path, timeoutMs: PROBE_MS, ...headers },
  }))
}
