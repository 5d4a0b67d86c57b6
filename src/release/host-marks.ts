import type { Sql } from './record-store.ts'
import type { EnvironmentRef, HostMark } from './records.ts'

/** Which hosts may not run what is live: the table of migrations/0003_hosts.sql. Every method is one statement. */
export interface HostMarks {
  of(environment: EnvironmentRef): Promise<HostMark[]>
  /** The first mark of a host stands until it is cleared. */
  set(environment: EnvironmentRef, marks: readonly Pick<HostMark, 'host' | 'since' | 'why'>[]): Promise<void>
  /** With `since`, only marks of that release. */
  clear(environment: EnvironmentRef, hosts: readonly string[], since?: number): Promise<void>
  /** Drover has tried to heal the host by itself. */
  tried(environment: EnvironmentRef, host: string): Promise<void>
}

interface Row {
  readonly host: string
  readonly since: number
  readonly why: string
  readonly tries: number
  readonly tried_at: Date | null
}

export function hostMarks(sql: Sql): HostMarks {
  return {
    of: async ({ fleet, environment }) => {
      const text =
        'select host, since, why, tries, tried_at from drover.hosts_behind where fleet = $1 and environment = $2 order by host'
      return (await sql.query<Row>(text, [fleet, environment])).rows.map(({ tried_at, ...mark }) => ({
        ...mark,
        ...(tried_at === null ? {} : { triedAt: tried_at.getTime() }),
      }))
    },
    set: async ({ fleet, environment }, marks) => {
      if (marks.length === 0) return
      const text = `
        insert into drover.hosts_behind (fleet, environment, host, since, why)
        select $1, $2, * from unnest($3::text[], $4::int[], $5::text[])
        on conflict do nothing`
      const columns = [marks.map(({ host }) => host), marks.map(({ since }) => since), marks.map(({ why }) => why)]
      await sql.query(text, [fleet, environment, ...columns])
    },
    clear: async ({ fleet, environment }, hosts, since) => {
      if (hosts.length === 0) return
      const text =
        'delete from drover.hosts_behind where fleet = $1 and environment = $2 and host = any($3) and ($4::int is null or since = $4)'
      await sql.query(text, [fleet, environment, hosts, since ?? null])
    },
    tried: async ({ fleet, environment }, host) => {
      const text =
        'update drover.hosts_behind set tries = tries + 1, tried_at = now() where fleet = $1 and environment = $2 and host = $3'
      await sql.query(text, [fleet, environment, host])
    },
  }
}
