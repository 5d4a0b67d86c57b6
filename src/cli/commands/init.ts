import { writeFile } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { draftManifest } from '../../manifest/draft.ts'
import { Refusal, problem } from '../../problem/problem.ts'
import type { Cli } from '../cli.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { MANIFEST } from '../manifest-file.ts'

/** Writes a draft of a manifest from what lies in the working tree. */
export async function init(cli: Cli, options: { readonly force?: boolean }): Promise<ExitCode> {
  const path = resolve(cli.cwd, cli.config ?? MANIFEST)
  const name = relative(cli.cwd, path)
  const { text, notes } = await draftManifest(cli.cwd)
  try {
    await writeFile(path, text, { flag: options.force === true ? 'w' : 'wx' })
  } catch (cause) {
    throw notWritten(name, cause)
  }
  if (cli.json) {
    cli.document({ file: name, notes })
    return EXIT.done
  }
  cli.print(`${cli.paint.green('✓')} wrote ${name}`)
  for (const note of notes) cli.print(`  ${cli.paint.yellow('!')} ${note}`)
  cli.print(cli.paint.dim(`  next: look at it, then \`drover check\`, commit it, and \`drover deploy\``))
  return EXIT.done
}

function notWritten(name: string, cause: unknown): Refusal {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EEXIST')
    return new Refusal(
      [problem('cli/exists', name, 'is there already', '`drover init --force` replaces it.')],
      'refused',
      { cause },
    )
  return new Refusal([problem('cli/unwritable', name, `cannot be written: ${String(code ?? cause)}`)], 'refused', {
    cause,
  })
}
