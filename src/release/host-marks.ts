import type { Sql } from './record-store.ts'
import type { EnvironmentRef, HostMark } from './records.ts'

/** Which hosts may not run what is live: the table of migrations/0003_hosts.sql. Every method is one statement. */
export interface HostMarks {
  of(environment: EnvironmentRef): Promise<HostMark[]>
  all(): Promise<(EnvironmentRef & HostMark)[]>
  /** The first mark of a host stands until it is cleared, but one that is untidy may turn out to be worse. */
  set(environment: EnvironmentRef, marks: readonly Pick<HostMark, 'host' | 'since' | 'why' | 'untidy'>[]): Promise<void>
  /** With `since`, only marks of that release. */
  clear(environment: EnvironmentRef, hosts: readonly string[], since?: number): Promise<void>
  /** Takes the next try to heal the host; false when another Drover has taken it. */
  takeTry(environment: EnvironmentRef, mark: Pick<HostMark, 'host' | 'tries'>): Promise<boolean>
}

interface Row {
  readonly host: string
  readonly since: number
  readonly why: string
  readonly untidy: boolean
  readonly tries: number
  readonly tried_at: Date | null
}

export function hostMarks(sql: Sql): HostMarks {
  return {
    of: async ({ fleet, environment }) => {
      const text =
        'select host, since, why, untidy, tries, tried_at from drover.hosts_behind where fleet = $1 and environment = $2 order by host'
      return (await sql.query<Row>(text, [fleet, environment])).rows.map(fromRow)
    },
    all: async () => {
      const text =
        'select fleet, environment, host, since, why, untidy, tries, tried_at from drover.hosts_behind order by fleet, environment, host'
      return (await sql.query<Row & EnvironmentRef>(text)).rows.map(fromRow)
    },
    set: async ({ fleet, environment }, marks) => {
      if (marks.length === 0) return
      const text = `
        insert into drover.hosts_behind as old (fleet, environment, host, since, why, untidy)
        select $1, $2, * from unnest($3::text[], $4::int[], $5::text[], $6::boolean[])
        on conflict (fleet, environment, host) do update set since = excluded.since, why = excluded.why, untidy = false
        where old.untidy and not excluded.untidy`
      const columns = [
        marks.map(({ host }) => host),
        marks.map(({ since }) => since),
        marks.map(({ why }) => why),
        marks.map(({ untidy = false }) => untidy),
      ]
      await sql.query(text, [fleet, environment, ...columns])
    },
    clear: async ({ fleet, environment }, hosts, since) => {
      if (hosts.length === 0) return
      const text =
        'delete from drover.hosts_behind where fleet = $1 and environment = $2 and host = any($3) and ($4::int is null or since = $4)'
      await sql.query(text, [fleet, environment, hosts, since ?? null])
    },
    takeTry: async ({ fleet, environment }, { host, tries }) => {
      const text =
        'update drover.hosts_behind set tries = tries + 1, tried_at = now() where fleet = $1 and environment = $2 and host = $3 and tries = $4 returning 1'
      return (await sql.query(text, [fleet, environment, host, tries])).rows.length > 0
    },
  }
}

function fromRow<R extends Row>({ tried_at, untidy, ...mark }: R): Omit<R, 'tried_at' | 'untidy'> & Optional {
  return {
    ...mark,
    ...(untidy ? { untidy } : {}),
    ...(tried_at === null ? {} : { triedAt: tried_at.getTime() }),
  }
}

type Optional = Pick<HostMark, 'untidy' | 'triedAt'>
