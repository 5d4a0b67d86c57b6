import { enter, sitesOf, takePermit } from './scope.ts'
import type { Scope } from './scope.ts'
import { sweepHosts } from './sweep.ts'
import { welcome } from './welcome.ts'

/**
 * Nothing differs anywhere. A host that might have run something else does not: the others send to it again, once what a
 * release has left there beside what is live is gone.
 */
export async function unchanged(scope: Scope): Promise<void> {
  const { context, ref } = scope
  const release = await context.records.find(ref)
  const concerned = sitesOf(context, release).map(({ host }) => host.name)
  const marked = (await context.marks.of(ref)).map(({ host }) => host).filter((host) => concerned.includes(host))
  const live = await context.records.live(ref)
  if (marked.length > 0 && live !== undefined) {
    await enter(scope, 'gate')
    await takePermit(scope)
    await sweepHosts(scope, live, marked)
    await welcome(scope, live, marked)
  }
  await context.records.end(ref, { outcome: 'unchanged', problems: [] })
}
