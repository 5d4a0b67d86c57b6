import { errorCode } from '../hosts/error-code.ts'
import { problem, refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { eventWriter } from './event-writer.ts'
import { readBlueprint, readMembers } from './older-records.ts'
import type { Plan } from './plan.ts'
import type {
  Before,
  Blueprint,
  EnvironmentRef,
  EventBody,
  Order,
  Phase,
  Release,
  ReleaseEvent,
  ReleaseOutcome,
  ReleaseRef,
  ReleaseSet,
  Request,
} from './records.ts'

/** The part of a PostgreSQL pool that is needed here. The caller says what the rows of its own statement are. */
export interface Sql {
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  query<Row>(text: string, values?: readonly unknown[]): Promise<{ readonly rows: Row[] }>
}

/** A release with what only the story needs of it. */
export interface StoredRelease extends Release {
  readonly order: Order
  readonly expectedPlan?: string
  readonly blueprint?: Blueprint
  readonly before?: Before
  /** The release that was live when this one was planned; 0 when none was. */
  readonly liveBefore?: number
  readonly cancelledBy?: string
  readonly worker?: string
}

/** What a step may write about its release; undefined leaves a field as it is. */
export interface ReleaseChange {
  readonly phase?: Phase
  readonly branch?: string
  readonly commit?: string
  readonly subject?: string
  readonly to?: number
  readonly startedAt?: number
  readonly switchedAt?: number
  readonly blueprint?: Blueprint
  readonly plan?: Plan
  readonly before?: Before
  readonly liveBefore?: number
  readonly set?: ReleaseSet
  readonly deviations?: Release['deviations']
  readonly worker?: string
}

/** A phase, and the process whose steps are in it. */
export interface Entry {
  readonly phase: Phase
  readonly worker: string
}

export interface Ending {
  readonly outcome: ReleaseOutcome
  readonly problems: readonly Problem[]
  readonly traffic?: NonNullable<Release['traffic']>
}

/** The tables of migrations/0002_releases.sql. Every method is one statement or one transaction, and idempotent. */
export interface RecordStore {
  /** Gives the release the environment's next number. A fleet belongs to the repository that released it first. */
  add(environment: EnvironmentRef, repository: string, request: Request): Promise<Release>
  find(release: ReleaseRef): Promise<StoredRelease>
  list(environment: EnvironmentRef, options: { limit: number; before?: number }): Promise<Release[]>
  environments(): Promise<EnvironmentRef[]>
  repository(fleet: string): Promise<string | undefined>
  live(environment: EnvironmentRef): Promise<StoredRelease | undefined>
  /** Releases without an outcome, oldest first; of all environments when none is named. */
  open(environment?: EnvironmentRef): Promise<StoredRelease[]>
  /** The newest kept release before the live one, the natural goal of a rollback; none that only healed a host. */
  previous(environment: EnvironmentRef, before: number): Promise<StoredRelease | undefined>
  change(release: ReleaseRef, change: ReleaseChange): Promise<void>
  /** What stood there before, for the one of many steps that begin together which changed it; undefined for the others. */
  enter(release: ReleaseRef, into: Entry): Promise<Pick<StoredRelease, 'phase' | 'worker'> | undefined>
  /** Marks it as the one live release of its environment; undefined: none is. */
  setLive(environment: EnvironmentRef, number: number | undefined): Promise<void>
  /** False when it has ended already. */
  markCancelled(release: ReleaseRef, actor: string): Promise<boolean>
  /** The first ending stands; a repeated one changes nothing. */
  end(release: ReleaseRef, ending: Ending): Promise<void>
  emit(release: ReleaseRef, body: EventBody): Promise<void>
  eventsAfter(release: ReleaseRef, afterId: number): Promise<ReleaseEvent[]>
  /** The value of this name, made by `make` on first use. */
  setting(name: string, make: () => string): Promise<string>
}

/**
 * `inStep` is for what steps write: it need not wait for the disk, since the journal, in the same database, writes its own
 * record of the step after it and waits for both. What a power cut takes away is then done again.
 */
export function recordStore(sql: Sql, inStep: Sql = sql): RecordStore {
  return {
    add: (environment, repository, request) => add(sql, environment, repository, request),
    find: (release) => find(sql, release),
    list: async (environment, { limit, before }) => {
      const text = `select * from drover.releases where fleet = $1 and environment = $2 and ($3::int is null or number < $3) order by number desc limit $4`
      return (await sql.query<Row>(text, [...keyOf(environment), before ?? null, limit])).rows.map(fromRow)
    },
    environments: async () =>
      (await sql.query<EnvironmentRef>('select distinct fleet, environment from drover.releases order by 1, 2')).rows,
    repository: async (fleet) =>
      (await sql.query<{ repository: string }>('select repository from drover.fleets where name = $1', [fleet])).rows[0]
        ?.repository,
    live: (environment) => one(sql, 'fleet = $1 and environment = $2 and live', keyOf(environment)),
    open: async (environment) => {
      const text = `select * from drover.releases where outcome is null and ($1::text is null or (fleet = $1 and environment = $2)) order by requested_at, number`
      return (await sql.query<Row>(text, [environment?.fleet ?? null, environment?.environment ?? null])).rows.map(
        fromRow,
      )
    },
    previous: (environment, before) =>
      one(
        sql,
        `fleet = $1 and environment = $2 and number < $3 and outcome = 'kept' and goal <> 'heal' order by number desc limit 1`,
        [...keyOf(environment), before],
      ),
    change: (release, change) => applyChange(inStep, release, change),
    enter: (release, into) => enter(inStep, release, into),
    setLive: async (environment, number) => {
      // In this order, so that the unique index never meets two; a crash in between is mended when the step runs again.
      await sql.query(
        'update drover.releases set live = false where fleet = $1 and environment = $2 and live and number is distinct from $3',
        [...keyOf(environment), number ?? null],
      )
      await sql.query(
        'update drover.releases set live = true where fleet = $1 and environment = $2 and number = $3 and not live',
        [...keyOf(environment), number ?? null],
      )
    },
    markCancelled: async (release, actor) => {
      const text =
        'update drover.releases set cancelled_by = coalesce(cancelled_by, $4) where fleet = $1 and environment = $2 and number = $3 and outcome is null returning 1'
      return (await sql.query(text, [...keyOf(release), release.number, actor])).rows.length > 0
    },
    end: (release, ending) => end(sql, release, ending),
    emit: eventWriter(inStep),
    eventsAfter: (release, afterId) => eventsAfter(sql, release, afterId),
    setting: async (name, make) => {
      const known = await readSetting(sql, name)
      if (known !== undefined) return known
      const text = 'insert into drover.settings (name, value) values ($1, $2) on conflict do nothing'
      await sql.query(text, [name, make()])
      return (await readSetting(sql, name))!
    },
  }
}

interface Row {
  readonly fleet: string
  readonly environment: string
  readonly number: number
  readonly goal: Order['goal']
  readonly phase: Phase
  readonly outcome: ReleaseOutcome | null
  readonly live: boolean
  readonly live_before: number | null
  readonly actor: string
  readonly reason: string | null
  readonly demand: Order
  readonly repository: string
  readonly expected_plan: string | null
  readonly branch: string | null
  readonly commit_id: string | null
  readonly subject: string | null
  readonly target: number | null
  readonly requested_at: Date
  readonly started_at: Date | null
  readonly switched_at: Date | null
  readonly ended_at: Date | null
  readonly blueprint: Blueprint | null
  readonly plan: Plan | null
  readonly before: Before | null
  readonly members: ReleaseSet | null
  readonly problems: Problem[]
  readonly traffic: NonNullable<Release['traffic']> | null
  readonly deviations: Release['deviations']
  readonly cancelled_by: string | null
  readonly worker: string | null
}

async function add(sql: Sql, environment: EnvironmentRef, repository: string, request: Request): Promise<Release> {
  await sql.query('insert into drover.fleets (name, repository) values ($1, $2) on conflict do nothing', [
    environment.fleet,
    repository,
  ])
  const owner = (
    await sql.query<{ repository: string }>('select repository from drover.fleets where name = $1', [environment.fleet])
  ).rows[0]!.repository
  if (owner !== repository) {
    throw refusal(
      'release/foreign-fleet',
      `fleet ${environment.fleet}`,
      `belongs to the repository ${owner}, not to ${repository}`,
      'Give this fleet another name, or release from the repository it belongs to.',
    )
  }
  // The lock makes numbers follow each other without a gap, whatever comes in at once.
  const text = `
    with lane as (select pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 20260)) as locked)
    insert into drover.releases (fleet, environment, number, goal, phase, actor, reason, demand, repository, expected_plan)
    select $1, $2, coalesce((select max(number) from drover.releases where fleet = $1 and environment = $2), 0) + 1, $3, 'queued', $4, $5, $6, $7, $8
    from lane
    returning *`
  const { order, actor, reason, expectedPlan } = request
  for (;;) {
    try {
      const values = [
        ...keyOf(environment),
        order.goal,
        actor,
        reason ?? null,
        JSON.stringify(order),
        repository,
        expectedPlan ?? null,
      ]
      return fromRow((await sql.query<Row>(text, values)).rows[0]!)
    } catch (error) {
      // The snapshot is older than the lock, so the loser of a race may have counted one too low; it counts again.
      if (errorCode(error) !== '23505') throw error
    }
  }
}

async function find(sql: Sql, release: ReleaseRef): Promise<StoredRelease> {
  const found = await one(sql, 'fleet = $1 and environment = $2 and number = $3', [...keyOf(release), release.number])
  if (found !== undefined) return found
  const newest = (
    await sql.query<{ number: number | null }>(
      'select max(number) as number from drover.releases where fleet = $1 and environment = $2',
      keyOf(release),
    )
  ).rows[0]?.number
  const hint =
    newest == null
      ? 'Nothing has been released there yet.'
      : `The newest is ${newest}; \`drover releases ${release.environment}\` lists them.`
  throw refusal(
    'release/unknown',
    `${release.fleet}/${release.environment}`,
    `there is no release ${release.number}`,
    hint,
  )
}

async function one(sql: Sql, where: string, values: readonly unknown[]): Promise<StoredRelease | undefined> {
  const row = (await sql.query<Row>(`select * from drover.releases where ${where}`, values)).rows[0]
  return row === undefined ? undefined : fromRow(row)
}

/** Fields of a change by the column that keeps them. */
const COLUMNS: readonly (readonly [field: keyof ReleaseChange, column: string])[] = [
  ['phase', 'phase'],
  ['branch', 'branch'],
  ['commit', 'commit_id'],
  ['subject', 'subject'],
  ['to', 'target'],
  ['startedAt', 'started_at'],
  ['switchedAt', 'switched_at'],
  ['blueprint', 'blueprint'],
  ['plan', 'plan'],
  ['before', 'before'],
  ['liveBefore', 'live_before'],
  ['set', 'members'],
  ['deviations', 'deviations'],
  ['worker', 'worker'],
]

async function applyChange(sql: Sql, release: ReleaseRef, change: ReleaseChange): Promise<void> {
  const changed = COLUMNS.filter(([field]) => change[field] !== undefined)
  if (changed.length === 0) return
  const assignments = changed.map(([, column], index) => `${column} = $${index + 4}`)
  const values = changed.map(([field]) => columnValue(field, change[field]))
  await sql.query(
    `update drover.releases set ${assignments.join(', ')} where fleet = $1 and environment = $2 and number = $3`,
    [...keyOf(release), release.number, ...values],
  )
}

async function enter(
  sql: Sql,
  release: ReleaseRef,
  { phase, worker }: Entry,
): Promise<Pick<StoredRelease, 'phase' | 'worker'> | undefined> {
  const text = `
    with before as (
      select phase, worker from drover.releases where fleet = $1 and environment = $2 and number = $3 for update
    )
    update drover.releases set phase = $4, worker = $5, started_at = coalesce(started_at, $6) from before
    where fleet = $1 and environment = $2 and number = $3 and (before.phase, before.worker) is distinct from ($4::text, $5::text)
    returning before.phase, before.worker`
  const values = [...keyOf(release), release.number, phase, worker, columnValue('startedAt', Date.now())]
  const before = (await sql.query<{ phase: Phase; worker: string | null }>(text, values)).rows[0]
  if (before === undefined) return undefined
  return { phase: before.phase, ...(before.worker === null ? {} : { worker: before.worker }) }
}

function columnValue(field: keyof ReleaseChange, value: ReleaseChange[keyof ReleaseChange]): unknown {
  if (typeof value === 'number') return field === 'to' || field === 'liveBefore' ? value : new Date(value)
  return typeof value === 'object' ? JSON.stringify(value) : value
}

async function end(sql: Sql, release: ReleaseRef, ending: Ending): Promise<void> {
  // One statement, so that the record and the event that tells of it cannot come apart.
  const text = `
    with ended as (
      update drover.releases set phase = 'ended', outcome = $4, problems = $5, traffic = $6, ended_at = now()
      where fleet = $1 and environment = $2 and number = $3 and outcome is null
      returning round(extract(epoch from now() - coalesce(started_at, requested_at)) * 1000) as ms
    )
    insert into drover.release_events (fleet, environment, number, body)
    select $1, $2, $3, $7::jsonb || jsonb_build_object('ms', ended.ms) from ended`
  const { outcome, problems, traffic } = ending
  const body = { kind: 'ended', outcome, problems, ...(traffic === undefined ? {} : { traffic }) }
  const values = [
    outcome,
    JSON.stringify(problems),
    traffic === undefined ? null : JSON.stringify(traffic),
    JSON.stringify(body),
  ]
  await sql.query(text, [...keyOf(release), release.number, ...values])
}

async function eventsAfter(sql: Sql, release: ReleaseRef, afterId: number): Promise<ReleaseEvent[]> {
  const text =
    'select id, at, body from drover.release_events where fleet = $1 and environment = $2 and number = $3 and id > $4 order by id limit 1000'
  const { rows } = await sql.query<{ id: string; at: Date; body: EventBody }>(text, [
    ...keyOf(release),
    release.number,
    afterId,
  ])
  const { fleet, environment, number } = release
  return rows.map((row) => ({ fleet, environment, number, id: Number(row.id), at: row.at.getTime(), body: row.body }))
}

function keyOf(environment: EnvironmentRef): [fleet: string, environment: string] {
  return [environment.fleet, environment.environment]
}

function fromRow(row: Row): StoredRelease {
  return {
    fleet: row.fleet,
    environment: row.environment,
    number: row.number,
    goal: row.goal,
    phase: row.phase,
    live: row.live,
    actor: row.actor,
    repository: row.repository,
    order: row.demand,
    requestedAt: row.requested_at.getTime(),
    problems: row.problems,
    deviations: row.deviations,
    ...(row.outcome !== null && { outcome: row.outcome }),
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.branch !== null && { branch: row.branch }),
    ...(row.commit_id !== null && { commit: row.commit_id }),
    ...(row.subject !== null && { subject: row.subject }),
    ...(row.target !== null && { to: row.target }),
    ...(row.started_at !== null && { startedAt: row.started_at.getTime() }),
    ...(row.switched_at !== null && { switchedAt: row.switched_at.getTime() }),
    ...(row.ended_at !== null && { endedAt: row.ended_at.getTime() }),
    ...(row.plan !== null && { plan: row.plan }),
    ...(row.members !== null && { set: readMembers(row.members) }),
    ...(row.traffic !== null && { traffic: row.traffic }),
    ...(row.expected_plan !== null && { expectedPlan: row.expected_plan }),
    ...(row.blueprint !== null && { blueprint: readBlueprint(row.blueprint) }),
    ...(row.before !== null && { before: row.before }),
    ...(row.live_before !== null && { liveBefore: row.live_before }),
    ...concernedHosts(row.demand),
    ...(row.cancelled_by !== null && { cancelledBy: row.cancelled_by }),
    ...(row.worker !== null && { worker: row.worker }),
  }
}

function concernedHosts(order: Order): Pick<Release, 'without' | 'host'> {
  if (order.goal === 'heal') return { host: order.host }
  return order.without === undefined ? {} : { without: order.without }
}

/** A problem for an error that nobody foresaw, so that it is told and not lost. */
export function unforeseen(error: unknown): Problem {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return problem('release/unforeseen', 'drover', text, 'This is a fault of Drover; the server log has the details.')
}

async function readSetting(sql: Sql, name: string): Promise<string | undefined> {
  const text = 'select value from drover.settings where name = $1'
  return (await sql.query<{ value: string }>(text, [name])).rows[0]?.value
}
