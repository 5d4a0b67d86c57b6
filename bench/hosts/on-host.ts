import { dirname } from 'node:path'
import { quote } from '../../src/hosts/host.ts'
import type { LabHost } from '../../lab/lab-host.ts'
import { sshArguments } from '../../lab/login.ts'
import { attempt, run } from './command.ts'
import type { Ended } from './command.ts'

/** Runs a line of shell as `admin` over a connection of its own. Its end is the caller's to judge. */
export function overSsh(host: LabHost, line: string): Promise<Ended> {
  return attempt('ssh', [...sshArguments(host), line])
}

/** Runs a script of shell as root; rejects when it fails. */
export async function asRoot(host: LabHost, script: string): Promise<string> {
  return (await run('ssh', [...sshArguments(host), 'sudo sh -eus'], { input: script })).stdout
}

/** A script that writes these files. */
export function writingFiles(files: Readonly<Record<string, string>>): string {
  const write = ([path, text]: [string, string]): string =>
    `mkdir -p ${quote(dirname(path))}; printf %s ${quote(text)} >${quote(path)}`
  return `${Object.entries(files).map(write).join('\n')}\n`
}
