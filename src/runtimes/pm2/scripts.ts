import { readFileSync } from 'node:fs'
import type { Operation } from '../../hosts/operation.ts'
import { SLOT_SUMS } from '../slot-sums.ts'

type Script = 'begun' | 'prepare' | 'quit' | 'stop' | 'survey'

/** The argument list of `sh` that runs one of the scripts beside this file, without the script being on the host. */
export function scriptArgv(name: Script, argv: readonly string[]): readonly string[] {
  return ['-c', readText(name), name, ...argv]
}

/** A survey of all slots, then what slot-sums.sh tells of them. */
export function inspectArgv(root: string, largestLogKib: number): readonly string[] {
  const text = `root=$1
(
${readText('survey')}) || exit
set -- "$root"/slots/*/[ab]
${SLOT_SUMS}`
  return ['-c', text, 'inspect', root, String(largestLogKib), '']
}

function readText(name: Script): string {
  return readFileSync(new URL(`${name}.sh`, import.meta.url), 'utf8')
}

export function scriptOperation(name: Script, argv: readonly string[]): Operation {
  return { kind: 'run', program: 'sh', argv: scriptArgv(name, argv) }
}
