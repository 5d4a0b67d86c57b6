import type { Cli } from '../cli.ts'
import { connect } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { DriftOptions } from '../options.ts'
import { chooseEnvironment, knownEnvironments } from '../target.ts'
import { driftText, isAsDeclared } from '../text/drift-text.ts'
import { given } from './given.ts'

/** How hosts differ from what was declared: of one environment, or of all of the fleet. */
export async function hostsDrift(cli: Cli, name: string | undefined, options: DriftOptions): Promise<ExitCode> {
  const client = await connect(cli)
  const known = await knownEnvironments(cli, client)
  const words = given([name ?? options.environment])
  const wanted = words.length === 0 ? known : [chooseEnvironment(known, { words }).environment]
  const look = { deep: options.deep === true }
  const environments = await Promise.all(wanted.map((environment) => client.drift(environment, look)))
  const asDeclared = environments.every(isAsDeclared)
  if (cli.json) cli.document({ environments, asDeclared })
  else if (environments.length === 0) cli.print('nothing has been released yet')
  else cli.print(environments.map((each) => driftText(each, { width: cli.width, paints: cli.paint })).join('\n\n'))
  return asDeclared ? EXIT.done : EXIT.drifted
}
