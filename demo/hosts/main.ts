import { whatIsMissing } from '../../lab/needs.ts'
import { drover } from '../acts.ts'
import { perform, say } from '../perform.ts'
import { setHostsStage } from './hosts-stage.ts'
import type { HostsStage } from './hosts-stage.ts'
import { tell } from './tell.ts'

/** As Drover's own: refused, nothing was changed. */
const EXIT_MISSING = 3

const missing = await whatIsMissing()
process.exitCode =
  missing.length > 0
    ? tellWhatIsMissing(missing)
    : await perform<HostsStage>({
        setStage: (say) => {
          say('Setting the stage: three bare Debian hosts, and here a PostgreSQL and a Redis that they reach')
          return setHostsStage(say)
        },
        tell,
        advice,
        // What is under way or runs on the hosts ends with them.
        end: async (stage) => void (await drover(stage, 'stop')),
      })

function tellWhatIsMissing(missing: readonly string[]): number {
  say('This demo boots three hosts on this machine, and that cannot be done here:')
  for (const each of missing) say(`✖ ${each}`)
  say('Run it as root on Debian or Ubuntu; `make demo` needs no hosts.')
  return EXIT_MISSING
}

function advice({ home, repository, sshConfig, edge, apps }: HostsStage): string {
  const [{ name }] = apps
  return `  export DROVER_HOME=${home} DROVER_SSH_CONFIG=${sshConfig}; cd ${repository}
  drover status production            what runs where (drover is ${process.cwd()}/bin/drover)
  drover logs production gateway -f   what it says, on every host
  drover hosts check                  what the hosts have
  ssh -F ${sshConfig} ${name}         one of them, as its administrator
  curl http://${edge.address}:8000/api/v1/products/SKU-001
`
}
