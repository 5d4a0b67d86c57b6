import type { Cli } from '../cli.ts'
import { connect } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { PlanOptions } from '../options.ts'
import { changes, planText } from '../text/plan-text.ts'
import { wantedDeploy } from './wanted.ts'

/** What a deploy would do. */
export async function plan(cli: Cli, name: string | undefined, options: PlanOptions): Promise<ExitCode> {
  const { environment, request } = await wantedDeploy(cli, name, options)
  const client = await connect(cli)
  const made = await client.plan(environment, request, { steps: cli.json && options.steps === true })
  if (cli.json) cli.document(made)
  else cli.print(planText(made, { width: cli.width, paints: cli.paint }))
  return options.detailedExitcode === true && changes(made) ? EXIT.changes : EXIT.done
}
