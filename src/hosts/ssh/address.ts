import { refusal } from '../../problem/problem.ts'
import type { Host } from '../host.ts'

export interface SshDestination {
  readonly destination: string
  readonly configFile?: string
  /** Starts programs on this machine. */
  readonly run: Host['run']
}

/** The address that ssh would connect to, by the user's configuration; asks no host. What stands before a jump is of no use. */
export async function sshAddress({ destination, configFile, run }: SshDestination): Promise<string> {
  const argv = [...(configFile === undefined ? [] : ['-F', configFile]), '-G', '--', destination]
  const { ok, stdout, stderr } = await run({ program: 'ssh', argv, summary: `ssh -G ${destination}` })
  const address = /^hostname (\S+)$/m.exec(stdout)?.[1]
  if (ok && address !== undefined) return address
  throw refusal(
    'hosts/ssh-address',
    `host ${destination}`,
    `ssh cannot tell where it connects to: ${stderr.trim() || 'no answer'}`,
    'Give the host an `address` in drover.yaml.',
  )
}
