import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { LabHost } from './lab-host.ts'

export interface Answer {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The arguments of `ssh` that log in to a host of the lab, and nothing of the user's own configuration. */
export function sshArguments({ address, ssh }: LabHost): string[] {
  const options = [
    'BatchMode=yes',
    'ConnectTimeout=3',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${ssh.knownHostsFile}`,
  ]
  const flags = options.flatMap((option) => ['-o', option])
  return ['-F', 'none', ...flags, '-i', ssh.identityFile, '-p', String(ssh.port), `${ssh.user}@${address}`]
}

/** Runs a line of shell on the host, by ssh, to its end. */
export async function login(host: LabHost, line: string): Promise<Answer> {
  return answerOf(startLogin(host, line))
}

export function startLogin(host: LabHost, line: string): ChildProcessWithoutNullStreams {
  return spawn('ssh', [...sshArguments(host), line])
}

export async function answerOf(child: ChildProcessWithoutNullStreams): Promise<Answer> {
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
}
