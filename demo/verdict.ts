import { Client } from 'pg'
import type { Say } from './acts.ts'
import type { Stage } from './stage.ts'
import type { Row } from './tale.ts'

/** What the demo promises, held against what happened: every complaint is said. */
export async function verdict(
  { databaseUrl }: Pick<Stage, 'databaseUrl'>,
  rows: readonly Row[],
  say: Say,
): Promise<boolean> {
  const { twice, overlaps, doubled } = await whatRanTwice(databaseUrl)
  say(
    `jobs of singletons run twice: ${twice}, singletons at work at the same time: ${overlaps}, orders taken twice: ${doubled}`,
  )
  const complaints = rows.flatMap(complaintsOf)
  if (twice + overlaps + doubled > 0) complaints.push('a singleton ran twice or an order was doubled')
  for (const complaint of complaints) say(`✖ ${complaint}`)
  return complaints.length === 0
}

function complaintsOf({ scene, traffic, lost }: Row): string[] {
  const { title, exitCode, expectedExit } = scene
  const exit = exitCode === expectedExit ? [] : [`${title}: exit code ${exitCode}, not ${expectedExit}`]
  const failed = (traffic?.failed ?? 0) - lost
  if (traffic === undefined || failed === 0) return exit
  const where = Object.entries(traffic.services).flatMap(([service, counts]) =>
    counts.failed > 0 ? [`${service} ${counts.failed}`] : [],
  )
  const why = Object.entries(traffic.reasons).map(([reason, count]) => `${count} × ${reason}`)
  const first = traffic.firstFailures[0]?.sentAt ?? scene.from
  const since = ((first - scene.from) / 1000).toFixed(1)
  return [
    ...exit,
    `${title}: ${failed} requests failed: ${why.join(', ')} (${where.join(', ')}), the first ${since} s after it began`,
  ]
}

async function whatRanTwice(
  databaseUrl: string,
): Promise<{ readonly twice: number; readonly overlaps: number; readonly doubled: number }> {
  const client = new Client(databaseUrl)
  await client.connect()
  const count = async (what: string): Promise<number> => (await client.query(`select from ${what}`)).rowCount ?? 0
  const twice = await count('jobs where runs > 1')
  const overlaps = await count('job_overlaps')
  const doubled = await count('orders where submissions > 1')
  await client.end()
  return { twice, overlaps, doubled }
}
