import { Refusal } from '../../problem/problem.ts'
import { act } from '../act.ts'
import type { Host } from '../host.ts'
import { asRoot } from './as-root.ts'
import type { Work } from './item.ts'

/** Everything that bootstrap makes on its way lies here; a second bootstrap of the same host waits for the first. */
const FENCE = { root: '/var/lib/drover/bootstrap', number: 0 }
const ACT_MS = 120_000

export interface CarryOutOptions {
  /** How the login becomes root. */
  readonly rights: 'root' | 'sudo'
  readonly signal: AbortSignal
}

export type Progress =
  | { readonly kind: 'begin'; readonly item: string }
  | { readonly kind: 'done'; readonly item: string; readonly ms: number }

/** Does what a plan says, item by item. Cut off anywhere, it is simply done again, by a new plan. */
export async function* carryOut(
  host: Host,
  works: readonly Work[],
  { rights, signal }: CarryOutOptions,
): AsyncGenerator<Progress> {
  const root = asRoot(host, rights)
  const done: string[] = []
  for (const work of works.filter(({ sign }) => sign === 'add' || sign === 'change')) {
    const { name, upload, operations, timeoutMs = ACT_MS } = work
    const began = performance.now()
    yield { kind: 'begin', item: name }
    try {
      if (upload !== undefined) await host.upload(upload.folder, upload.target, { signal })
      await act(root, FENCE, operations, { label: name, claims: ['bootstrap'], timeoutMs, signal })
    } catch (error) {
      throw error instanceof Refusal ? stopped(error, work, done) : error
    }
    done.push(name)
    yield { kind: 'done', item: name, ms: performance.now() - began }
  }
}

/** Says what is done already, and that nothing but the cause stands in the way of doing the rest. */
function stopped(error: Refusal, work: Work, done: readonly string[]): Refusal {
  const rest = done.length === 0 ? 'Nothing else was changed' : `Done already: ${done.join(', ')}`
  const hint = `${hintFor(work, error)}${rest}; what is missing is done when bootstrap is run again.`
  const [first, ...others] = error.problems
  if (first === undefined) return error
  return new Refusal([{ ...first, hint }, ...others], done.length === 0 ? error.outcome : 'failed-restored', {
    cause: error,
  })
}

function hintFor(work: Work, error: Refusal): string {
  if (work.name === 'packages') {
    return `Install ${work.what} by hand, or give the host a way to a mirror of its packages. `
  }
  const hint = error.problems[0]?.hint
  return error.problems[0]?.code === 'hosts/operation' || hint === undefined ? '' : `${hint} `
}
