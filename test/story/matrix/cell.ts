import type { Arena } from './arena.ts'
import { hostOf } from './cells.ts'
import type { Cell } from './cells.ts'
import { Neither, RUN } from './faults.ts'

/** How a cell ended. */
export interface Row {
  readonly cell: Cell
  /** The host that was cut, where one was. */
  readonly victim?: string
  readonly end: 'old' | 'new' | 'neither'
  /** What Drover says of the release. */
  readonly outcome: string
  readonly seconds: number
  /** Of people, beside whoever starts Drover, gives the host its power or heals its line. */
  readonly hands: number
  /** Of a cell that failed: what is wrong, and all that there is to look at. */
  readonly failure?: { readonly what: string; readonly evidence: unknown }
}

/** Does to a release what the cell says, and has the hosts say what became of it. */
export async function runCell(arena: Arena, cell: Cell, turn: number): Promise<Row> {
  const old = arena.version
  const next = arena.next()
  const victim = arena.machines.find(({ name }) => name === hostOf(cell, turn, namesOf(arena)))!
  const about = { cell, ...(cell.fault === 'power' || cell.fault === 'network' ? { victim: victim.name } : {}) }
  await (cell.path === 'kept' ? arena.commit(next) : arena.commitBad(next))
  try {
    const { ms, outcome } = await RUN[cell.fault]({ arena, cell, old, next, victim, check })
    const last = await check('at the end', [old, next, String(Number(next) + 1)])
    const isNew = last !== old
    if (cell.path === 'undone' && isNew) throw new Neither('a release that fails after its switch is live')
    if ((outcome === 'kept') !== isNew) throw new Neither(`Drover says ${outcome}, and ${last} is live`)
    arena.version = last
    return { ...about, end: isNew ? 'new' : 'old', outcome, seconds: ms / 1000, hands: 0 }
  } catch (error) {
    return { ...about, end: 'neither', outcome: '?', seconds: 0, hands: 1, failure: await failureOf(arena, error) }
  }

  async function check(when: string, versions: readonly string[] = [old, next]): Promise<string> {
    const views = await arena.look()
    const verdict = await arena.judged({ versions }, views)
    if ('version' in verdict) return verdict.version
    throw new Neither(`${when}: ${verdict.complaints.join('; ')}`, views)
  }
}

function namesOf({ machines }: Arena): string[] {
  return machines.map(({ name }) => name)
}

/** Everything that somebody would ask for. */
async function failureOf(arena: Arena, error: unknown): Promise<NonNullable<Row['failure']>> {
  const what = error instanceof Neither ? error.message : String((error as Error).stack ?? error)
  const asked = {
    hosts: arena.look(),
    release: arena.query('select * from drover.releases order by number desc limit 2'),
    marks: arena.query('select * from drover.hosts_behind'),
    workflows: arena.query(
      `select workflow_uuid, name, status, executor_id from dbos.workflow_status order by created_at desc limit 40`,
    ),
    events: arena.query('select * from drover.release_events order by id desc limit 60'),
    workers: arena.query('select * from drover.workers'),
    journals: Promise.all(
      arena.machines.map((machine) => machine.inside(['journalctl', '--no-pager', '-n', '80', '-o', 'short-precise'])),
    ),
  }
  const evidence: Record<string, unknown> = error instanceof Neither ? { checked: error.evidence } : {}
  for (const [name, answer] of Object.entries(asked)) {
    evidence[name] = await answer.catch((failure: unknown) => String(failure))
  }
  return { what, evidence: { ...evidence, drover: arena.lines() } }
}
