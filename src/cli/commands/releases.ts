import type { ReleaseDocument } from '../../release/documents.ts'
import { usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import { connect } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { ReleasesOptions } from '../options.ts'
import { targetOf } from '../target.ts'
import type { Paint } from '../text/paint.ts'
import { table } from '../text/table.ts'
import type { Cell } from '../text/table.ts'
import { duration, moment } from '../text/time.ts'
import { given } from './given.ts'

const MOST = 1_000

/** What was released to an environment. */
export async function releases(cli: Cli, name: string | undefined, options: ReleasesOptions): Promise<ExitCode> {
  const limit = Number(options.number)
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST)
    throw usage('--number', `should be a whole number from 1 to ${MOST}, got ${JSON.stringify(options.number)}`)
  const client = await connect(cli)
  const { environment } = await targetOf(cli, client, { words: given([name]), option: options.environment })
  const found = await client.releases(environment, { limit })
  if (cli.json) cli.document({ releases: found })
  else if (found.length === 0)
    cli.print(`nothing has been released to ${environment.fleet}/${environment.environment} yet`)
  else cli.print(releasesTable(found, cli))
  return EXIT.done
}

export function releasesTable(
  found: readonly ReleaseDocument[],
  { width, paint }: { readonly width: number; readonly paint: Paint },
): string {
  const columns = [
    { title: 'RELEASE', align: 'right' },
    { title: 'OUTCOME' },
    { title: 'LIVE' },
    { title: 'WHEN' },
    { title: 'TOOK', align: 'right' },
    { title: 'COMMIT' },
    { title: 'WHAT', least: 12 },
    { title: 'BY', least: 6 },
    { title: 'REASON', least: 6 },
  ] as const
  const rows = found.map((release): (Cell | string)[] => [
    `#${release.number}`,
    outcomeCell(release, paint),
    { text: release.live ? '(live)' : '', paint: paint.green },
    moment(release.requestedAt),
    release.endedAt === undefined ? '' : duration(release.endedAt - (release.startedAt ?? release.requestedAt)),
    { text: release.commit?.slice(0, 7) ?? '', paint: paint.cyan },
    what(release),
    release.actor,
    release.reason ?? '',
  ])
  return table(columns, rows, { width, head: paint.dim })
}

function outcomeCell({ outcome, phase }: ReleaseDocument, paint: Paint): Cell {
  if (outcome === undefined) return { text: phase, paint: paint.cyan }
  if (outcome === 'kept') return { text: outcome, paint: paint.green }
  if (outcome === 'broken') return { text: outcome, paint: paint.red }
  return outcome === 'restored' || outcome === 'refused' ? { text: outcome, paint: paint.yellow } : { text: outcome }
}

function what({ goal, to, subject, host, without = [] }: ReleaseDocument): string {
  const done =
    goal === 'heal'
      ? `heal of ${host}`
      : goal === 'rollback'
        ? `rollback${to === undefined ? '' : ` to #${to}`}`
        : subject
  return [done ?? '', ...(without.length === 0 ? [] : [`(without ${without.join(', ')})`])].join(' ').trim()
}
