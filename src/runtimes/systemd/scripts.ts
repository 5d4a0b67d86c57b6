import { readFileSync } from 'node:fs'
import { AS_ROOT_FUNCTION } from '../../hosts/drover-host/drover-host.ts'
import type { Operation } from '../../hosts/operation.ts'

type Script = 'begin' | 'clear' | 'end' | 'lay-units' | 'prepare' | 'survey' | 'teardown'

/** The argument list of `sh` that runs one of the scripts beside this file, without the script being on the host. */
export function scriptArgv(name: Script, argv: readonly string[]): readonly string[] {
  return ['-c', `${AS_ROOT_FUNCTION}${readText(`${name}.sh`)}`, name, ...argv]
}

export function scriptOperation(name: Script, argv: readonly string[]): Operation & { readonly kind: 'run' } {
  return { kind: 'run', program: 'sh', argv: scriptArgv(name, argv) }
}

/** The text of journal.pl, for `perl -e`. */
export function readJournalScript(): string {
  return readText('journal.pl')
}

function readText(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8')
}
