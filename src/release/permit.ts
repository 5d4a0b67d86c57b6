import { refusal } from '../problem/problem.ts'
import type { EnvironmentRef } from './records.ts'
import type { Sql } from './record-store.ts'

/**
 * The right to change the hosts of an environment: one holder at a time, with the number that hosts compare. A
 * workflow asks for the number anew in each step, so that one that has lost its permit, or whose process was given up
 * for dead, stops at its next step; what it still has under way is refused by the hosts themselves.
 */
export interface Permits {
  /** Makes this workflow the holder. Whoever held it before can change nothing from now on. Idempotent. */
  take(environment: EnvironmentRef, holder: string): Promise<number>
  /** The number to give to hosts now; a Refusal when this workflow is no longer the holder. */
  current(environment: EnvironmentRef, holder: string): Promise<number>
}

/** @param epoch the engine's: checks that this process counts as alive, and grows whenever one was given up for dead. */
export function permits(sql: Sql, epoch: () => Promise<number>): Permits {
  return {
    take: async (environment, holder) => {
      const values = [environment.fleet, environment.environment, holder, await epoch()]
      const text = `
        insert into drover.permits (fleet, environment, holder, epoch, number) values ($1, $2, $3, $4, drover.next_permit(0))
        on conflict (fleet, environment) do update
          set holder = $3, epoch = $4, number = drover.next_permit(permits.number), taken_at = now()
          where permits.holder <> $3 or permits.epoch <> $4
        returning number`
      const taken = (await sql.query<{ number: string }>(text, values)).rows[0]
      return taken === undefined ? held(sql, environment, holder) : Number(taken.number)
    },
    current: async (environment, holder) => {
      const now = await epoch()
      // Another process was given up since: its commands may still be under way, so the hosts get a higher number.
      const text = `
        update drover.permits set epoch = $4, number = drover.next_permit(number)
        where fleet = $1 and environment = $2 and holder = $3 and epoch < $4
        returning number`
      const raised = (
        await sql.query<{ number: string }>(text, [environment.fleet, environment.environment, holder, now])
      ).rows[0]
      return raised === undefined ? held(sql, environment, holder) : Number(raised.number)
    },
  }
}

async function held(sql: Sql, environment: EnvironmentRef, holder: string): Promise<number> {
  const text = 'select holder, number from drover.permits where fleet = $1 and environment = $2'
  const row = (await sql.query<{ holder: string; number: string }>(text, [environment.fleet, environment.environment]))
    .rows[0]
  if (row?.holder === holder) return Number(row.number)
  throw refusal(
    'release/permit-lost',
    `${environment.fleet}/${environment.environment}`,
    row === undefined ? `${holder} has no permit` : `the permit has passed from ${holder} to ${row.holder}`,
  )
}
