import { openLab } from '../../lab/lab.ts'
import type { Lab } from '../../lab/lab.ts'
import type { LabHost } from '../../lab/lab-host.ts'
import { sshConfig } from '../../lab/ssh-config.ts'
import type { Say } from '../acts.ts'
import { setStage } from '../stage.ts'
import type { Stage } from '../stage.ts'

/** Three bare hosts, and on this machine what they reach: Pakashop's PostgreSQL and Redis. */
export interface HostsStage extends Stage {
  readonly lab: Lab
  /** Of an OpenSSH configuration that knows the hosts by their names. */
  readonly sshConfig: string
  /** The public one, which runs no service, and the two behind it. */
  readonly edge: LabHost
  readonly apps: readonly [LabHost, LabHost]
}

export async function setHostsStage(say: Say): Promise<HostsStage> {
  const lab = await openLab({ hosts: 3, say })
  const [edge, one, two] = lab.hosts
  try {
    const stage = await setStage({ address: lab.address })
    const config = sshConfig(lab)
    return {
      ...stage,
      environment: { ...stage.environment, DROVER_SSH_CONFIG: config },
      lab,
      sshConfig: config,
      edge: edge!,
      apps: [one!, two!],
      strike: async () => {
        await stage.strike()
        await lab.close()
      },
    }
  } catch (error) {
    await lab.close()
    throw error
  }
}
