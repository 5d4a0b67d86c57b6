import { quote } from '../hosts/host.ts'
import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { parseUrl } from './connection.ts'
import type { Connection, StoreAddress } from './connection.ts'

/** A row of Prisma's `_prisma_migrations`, the only witness of what a migration did: what the tool prints is not asked. */
export interface MigrationRecord {
  readonly id: string
  readonly name: string
  readonly finished: boolean
  readonly rolledBack: boolean
  /** What the database said when it failed. */
  readonly logs: string | null
}

/** In the order in which they were started; undefined when there is no such table. */
export async function readRecords(connection: Connection, store: StoreAddress): Promise<MigrationRecord[] | undefined> {
  // Prisma, and nobody else, takes the schema from the address.
  const schema = parseUrl(store.url)?.searchParams.get('schema')
  const [found] = await connection.rows<{ table: string | null }>(
    `select to_regclass(case when $1::text is null then '' else quote_ident($1) || '.' end || '_prisma_migrations')::text as table`,
    [schema],
  )
  if (typeof found?.table !== 'string') return undefined
  return connection.rows<MigrationRecord & { readonly [column: string]: unknown }>(
    `select id, migration_name as name, finished_at is not null as finished, rolled_back_at is not null as "rolledBack", logs
       from ${found.table} order by started_at, id`,
  )
}

/** Names of the migrations that were finished between two readings. */
export function newlyFinished(before: readonly MigrationRecord[], after: readonly MigrationRecord[]): string[] {
  const finished = new Set(before.filter((record) => record.finished).map((record) => record.id))
  return after
    .filter((record) => record.finished && !record.rolledBack && !finished.has(record.id))
    .map((record) => record.name)
}

/** Begun, neither finished nor rolled back: Prisma refuses to go on until a person has said which it is. */
export function halfApplied(records: readonly MigrationRecord[]): MigrationRecord[] {
  return records.filter((record) => !record.finished && !record.rolledBack)
}

/** Where and how the migration command was run, for telling a person what to run in its place. */
export interface CommandPlace {
  readonly command: string
  readonly host: string
  readonly cwd: string
  /** Name of the variable that carries the store's address, if there is one. */
  readonly variable: string | undefined
}

export function halfAppliedProblem(record: MigrationRecord, store: string, at: CommandPlace): Problem {
  const said = (record.logs ?? '').split('\n').filter(worthShowing).slice(0, 5)
  const what = `migration ${record.name} is half applied: begun, neither finished nor rolled back`
  return problem(
    'databases/half-applied',
    store,
    [what, ...said.map((line) => `  | ${line.trim()}`)].join('\n'),
    wayOut(record.name, at),
  )
}

/** PostgreSQL's DETAIL quotes rows, and rows are nobody's business here; the driver's own record repeats all of it. */
function worthShowing(line: string): boolean {
  return line.trim() !== '' && !/^\s*(DETAIL|CONTEXT|DbError|Migration name|A migration failed)/.test(line)
}

function wayOut(name: string, { command, host, cwd, variable }: CommandPlace): string {
  const resolve = (how: string): string => {
    const words = `migrate resolve ${how} ${quote(name)}`
    return /\bmigrate deploy\b/.test(command) ? command.replace(/\bmigrate deploy\b/, words) : `npx prisma ${words}`
  }
  const withVariable = variable === undefined ? '' : `, with the store's address in ${variable}`
  return (
    `PostgreSQL undoes a failed migration whole unless it commits by itself: look whether any of it is there, undo that, ` +
    `then on host ${host} in ${cwd}${withVariable}, run: ${resolve('--rolled-back')} ` +
    `(or --applied instead, once all of it is there), and deploy again.`
  )
}
