import type { Cli } from '../cli.ts'
import { problemLines } from '../cli.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { requireManifest } from '../manifest-file.ts'
import { counted } from '../text/time.ts'

/** Every complaint about a manifest, or that there is none. */
export async function check(cli: Cli, file: string | undefined): Promise<ExitCode> {
  const { name, fleet, problems } = await requireManifest(cli, file)
  const code = fleet === undefined ? EXIT.usage : EXIT.done
  if (cli.json) {
    cli.document({ file: name, valid: fleet !== undefined, problems })
    return code
  }
  const { green, red } = cli.paint
  if (problems.length > 0) cli.print(problemLines(problems, cli.paint))
  if (fleet === undefined) {
    cli.print(`${red('✗')} ${name}: ${counted(problems.length, 'problem')}`)
    return code
  }
  const parts = [counted(fleet.services.length, 'service'), counted(fleet.environments.length, 'environment')]
  const warnings = problems.length === 0 ? '' : `, ${counted(problems.length, 'warning')}`
  cli.print(`${green('✓')} ${name}: fleet ${fleet.name}, ${parts.join(', ')}${warnings}`)
  return code
}
