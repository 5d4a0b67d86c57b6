import type { Cli } from '../cli.ts'
import type { Client } from '../client/client.ts'
import { connect } from '../client/connect.ts'
import { confirm, mayAsk } from '../confirm.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { DeployOptions } from '../options.ts'
import { changes, planText } from '../text/plan-text.ts'
import { followRelease, leave } from './follow-release.ts'
import { wantedDeploy } from './wanted.ts'
import type { Wanted } from './wanted.ts'

/** Releases a commit and follows it. */
export async function deploy(cli: Cli, name: string | undefined, options: DeployOptions): Promise<ExitCode> {
  const wanted = await wantedDeploy(cli, name, options)
  const client = await connect(cli)
  const agreed =
    options.plan !== undefined
      ? { plan: options.plan }
      : options.yes !== true && mayAsk(cli)
        ? await agree(cli, client, wanted)
        : {}
  if (agreed === undefined) {
    cli.note('not released')
    return EXIT.refused
  }
  const request = agreed.plan === undefined ? wanted.request : { ...wanted.request, expectedPlan: agreed.plan }
  const release = await client.request(wanted.environment, request)
  return options.detach === true ? leave(cli, release) : followRelease(cli, client, release, { interrupt: 'cancel' })
}

/** Shows the plan and asks; undefined is a no. What is agreed to binds. */
async function agree(
  cli: Cli,
  client: Client,
  { environment, request }: Wanted,
): Promise<{ plan?: string } | undefined> {
  const plan = await client.plan(environment, request)
  cli.print(`${planText(plan, { width: cli.width, paints: cli.paint })}\n`)
  if (!changes(plan)) return {}
  if (!(await confirm(cli, `Release this to ${environment.fleet}/${environment.environment}?`))) return undefined
  return { plan: plan.hash }
}
