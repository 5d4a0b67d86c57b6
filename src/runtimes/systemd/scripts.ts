import { readFileSync } from 'node:fs'
import { AS_ROOT_FUNCTION, HELPER_PATH } from '../../hosts/drover-host/drover-host.ts'
import type { UnitOwner } from '../../hosts/drover-host/units.ts'
import { unitPrefix } from '../../hosts/drover-host/units.ts'
import type { Operation } from '../../hosts/operation.ts'
import { SLOT_SUMS } from '../slot-sums.ts'

type Script = 'begin' | 'clear' | 'enable' | 'end' | 'lay-units' | 'prepare' | 'survey' | 'teardown'

/** The argument list of `sh` that runs one of the scripts beside this file, without the script being on the host. */
export function scriptArgv(name: Script, argv: readonly string[]): readonly string[] {
  const functions = name === 'prepare' ? `${AS_ROOT_FUNCTION}${readText('boot.sh')}` : AS_ROOT_FUNCTION
  return ['-c', `${functions}${readText(`${name}.sh`)}`, name, ...argv]
}

/** A survey of all slots, and then what inspect.sh and slot-sums.sh tell; ends with a line `inspected`. */
export function inspectArgv(place: UnitOwner & { readonly root: string }): readonly string[] {
  const { fleet, environment, root } = place
  const text = `${AS_ROOT_FUNCTION}${readText('boot.sh')}root=$1 prefix=$2 fleet=$3 environment=$4 helper=$5 handed=$6
(
set -- "$root" "$prefix" 0 ''
${readText('survey.sh')}) || exit
${readText('inspect.sh')}
set -- "$root"/slots/*/[ab]
${SLOT_SUMS}
echo inspected`
  return ['-c', text, 'inspect', root, unitPrefix(place), fleet, environment, HELPER_PATH, readText('handed.pl')]
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
