import type { Sql } from './record-store.ts'
import type { EventBody, ReleaseRef } from './records.ts'

interface Batch {
  readonly bodies: string[]
  /** Of this batch, in the table. */
  readonly written: Promise<void>
}

/**
 * Writes events of a release in the order in which they come, one statement at a time; those that come meanwhile go
 * together in the next one. Who follows asks for events after the last one it has seen: of two statements at once the
 * later number could be there first, and the event with the earlier one would never be seen.
 */
export function eventWriter(sql: Sql): (release: ReleaseRef, body: EventBody) => Promise<void> {
  const waiting = new Map<string, Batch>()
  const underWay = new Map<string, Promise<void>>()
  return (release, body) => {
    const key = `${release.fleet}/${release.environment}/${release.number}`
    const open = waiting.get(key)
    if (open !== undefined) {
      open.bodies.push(JSON.stringify(body))
      return open.written
    }
    const bodies = [JSON.stringify(body)]
    const before = underWay.get(key) ?? Promise.resolve()
    const written = before
      // Whoever wrote that batch is told.
      .catch(() => undefined)
      .then(() => {
        waiting.delete(key)
        return write(sql, release, bodies)
      })
      .finally(() => {
        if (underWay.get(key) === written) underWay.delete(key)
      })
    waiting.set(key, { bodies, written })
    underWay.set(key, written)
    return written
  }
}

async function write(sql: Sql, { fleet, environment, number }: ReleaseRef, bodies: readonly string[]): Promise<void> {
  await sql.query(
    `insert into drover.release_events (fleet, environment, number, body)
     select $1, $2, $3, body::jsonb from unnest($4::text[]) with ordinality as event (body, place) order by place`,
    [fleet, environment, number, bodies],
  )
}
