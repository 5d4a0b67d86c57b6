import { Refusal } from '../../problem/problem.ts'
import { act } from '../act.ts'
import type { Host } from '../host.ts'
import { asRoot } from './as-root.ts'
import type { Work } from './item.ts'

/** Everything that bootstrap makes on its way lies here; a second bootstrap of the same host waits for the first. */
const FENCE = { root: '/var/lib/drover/bootstrap', number: 0 }
const UPLOAD_OR_ACT_MS = 120_000

export interface CarryOutOptions {
  /** How the login becomes root. */
  readonly rights: 'root' | 'sudo'
  readonly signal?: AbortSignal
  readonly onBegin: (work: Work) => void
  readonly onDone: (work: Work, ms: number) => void
}

/** Does what a plan says, item by item. Cut off anywhere, it is simply done again, by a new plan. */
export async function carryOut(host: Host, works: readonly Work[], options: CarryOutOptions): Promise<void> {
  const { rights, signal, onBegin, onDone } = options
  const root = asRoot(host, rights)
  const done: string[] = []
  for (const work of works.filter(({ sign }) => sign === 'add' || sign === 'change')) {
    const began = performance.now()
    onBegin(work)
    try {
      const { upload, operations, name, timeoutMs = UPLOAD_OR_ACT_MS } = work
      if (upload !== undefined) await host.upload(upload.folder, upload.target, signal === undefined ? {} : { signal })
      await act(root, FENCE, operations, {
        label: name,
        claims: ['bootstrap'],
        timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      })
    } catch (error) {
      throw error instanceof Refusal ? stopped(error, work, done) : error
    }
    done.push(work.name)
    onDone(work, performance.now() - began)
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
