import { refusal } from '../../problem/problem.ts'
import type { ReleaseDocument } from '../../release/documents.ts'
import type { EnvironmentRef } from '../../release/records.ts'
import { problemLines } from '../cli.ts'
import type { Cli } from '../cli.ts'
import type { Client } from '../client/client.ts'
import { connect } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { ReleaseOptions } from '../options.ts'
import { releaseNumber, targetOf } from '../target.ts'
import { plainLines } from '../live/plain.ts'
import { reduce, viewOf } from '../live/state.ts'
import { planText } from '../text/plan-text.ts'
import { counted, duration, moment, number } from '../text/time.ts'
import { oneLine } from '../text/width.ts'
import { followRelease } from './follow-release.ts'
import { given } from './given.ts'

/** One release: what it was to do and how that went. */
export async function release(
  cli: Cli,
  words: readonly (string | undefined)[],
  options: ReleaseOptions,
): Promise<ExitCode> {
  const client = await connect(cli)
  const { environment, rest } = await targetOf(cli, client, { words: given(words), option: options.environment })
  const wanted = rest[0] === undefined ? await newest(client, environment) : releaseNumber(rest[0])
  const found = await client.release({ ...environment, number: wanted })
  if (options.follow === true && found.outcome === undefined)
    return followRelease(cli, client, found, { interrupt: 'leave' })
  if (cli.json) cli.document(found)
  else {
    cli.print(releaseText(found, cli))
    if (cli.verbose) for (const line of await storyOf(client, found)) cli.print(line)
  }
  return EXIT.done
}

async function newest(client: Client, environment: EnvironmentRef): Promise<number> {
  const [first] = await client.releases(environment, { limit: 1 })
  if (first !== undefined) return first.number
  throw refusal(
    'cli/nothing-released',
    `${environment.fleet}/${environment.environment}`,
    'nothing has been released yet',
    `\`drover deploy ${environment.environment}\` does.`,
  )
}

export function releaseText(found: ReleaseDocument, { width, paint }: Pick<Cli, 'width' | 'paint'>): string {
  const { traffic, plan, problems, deviations } = found
  const rows: (readonly [string, string | undefined])[] = [
    ['outcome', found.outcome ?? `under way: ${found.phase}`],
    ['goal', goalOf(found)],
    ['without', found.without?.join(', ')],
    ['commit', [found.commit, found.subject].filter((word) => word !== undefined).join(' ') || undefined],
    ['branch', found.branch],
    ['by', found.actor],
    ['reason', found.reason],
    ['asked for', moment(found.requestedAt)],
    [
      'took',
      found.endedAt === undefined ? undefined : duration(found.endedAt - (found.startedAt ?? found.requestedAt)),
    ],
    [
      'requests',
      traffic === undefined
        ? undefined
        : `${counted(traffic.requests, 'request')} meanwhile: ${number(traffic.failed)} failed, ${number(traffic.rescued)} rescued`,
    ],
    ['deviations', deviations.map(({ service, release }) => `${service} from #${release}`).join(', ') || undefined],
  ]
  const facts = rows
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `  ${paint.dim(key.padEnd(10))}  ${oneLine(value ?? '')}`)
  const head = `${paint.bold(`${found.fleet}/${found.environment} #${found.number}`)}${found.live ? `  ${paint.green('(live)')}` : ''}`
  return [
    head,
    ...facts,
    ...(plan === undefined ? [] : ['', planText(plan, { width, paints: paint })]),
    ...(problems.length === 0 ? [] : ['', problemLines(problems, paint)]),
  ].join('\n')
}

function goalOf({ goal, to, host }: ReleaseDocument): string {
  if (goal === 'heal') return `heal of ${host}`
  return goal === 'rollback' && to !== undefined ? `rollback to #${to}` : goal
}

/** Everything that happened, outputs included, as it was told while it went on. */
async function storyOf(client: Client, found: ReleaseDocument): Promise<string[]> {
  const lines = ['']
  if (found.outcome === undefined) return lines
  let view = viewOf(found)
  for await (const event of client.events(found, {})) {
    lines.push(...plainLines(view, event, { verbose: true }))
    view = reduce(view, event)
  }
  return lines
}
