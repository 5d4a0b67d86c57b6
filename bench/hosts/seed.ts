import { timed } from './contestant.ts'
import type { Contestant, Setting } from './contestant.ts'
import { installUnits } from './in-place.ts'
import { asRoot, overSsh } from './on-host.ts'

const FOLDER = '/opt/pakashop'

/** The written procedure: `sudo ./scripts/deploy.sh production` on the host, over ssh as its workflow has it (5.2, 7.1, 7.3). */
export function seed({ stage, host }: Setting): Contestant {
  const there = (line: string) => overSsh(host, `cd ${FOLDER} && ${line}`)
  const script = 'sudo ./scripts/deploy.sh production'
  let cloned = false
  return {
    name: 'deploy.sh',
    prepare: () => installUnits({ stage, host }, FOLDER),
    deploy: () => {
      const clone = cloned ? '' : `sudo git clone -q --branch production ${stage.gitUrl} ${FOLDER} && `
      cloned = true
      return timed(() => overSsh(host, `${clone}cd ${FOLDER} && ${script}`))
    },
    rollback: () => timed(() => there(script)),
    recover: () =>
      timed(() =>
        there(
          "cd services/coupon && sudo sh -ec 'git checkout production~1 -- .; npm ci --production; systemctl restart pakashop-coupon'",
        ),
      ),
    // The checkout of one service's folder is staged, and the next pull that touches it would abort.
    cleanUp: async () => {
      await asRoot(host, `cd ${FOLDER}; git reset -q --hard; systemctl reset-failed`)
    },
  }
}
