import { readFileSync } from 'node:fs'
import type { Operation } from '../../hosts/operation.ts'

type Script = 'begun' | 'prepare' | 'quit' | 'stop' | 'survey'

/** The argument list of `sh` that runs one of the scripts beside this file, without the script being on the host. */
export function scriptArgv(name: Script, argv: readonly string[]): readonly string[] {
  return ['-c', readFileSync(new URL(`${name}.sh`, import.meta.url), 'utf8'), name, ...argv]
}

export function scriptOperation(name: Script, argv: readonly string[]): Operation {
  return { kind: 'run', program: 'sh', argv: scriptArgv(name, argv) }
}
