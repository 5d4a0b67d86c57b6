import { randomBytes } from 'node:crypto'
import { bump, drover, endRelease, killDroverIn, misbehave } from './acts.ts'
import { pakashopTargets } from './pakashop-traffic.ts'
import { perform, REQUESTS_PER_SECOND } from './perform.ts'
import type { Told } from './perform.ts'
import { setStage } from './stage.ts'
import type { Stage } from './stage.ts'

process.exitCode = await perform<Stage>({
  setStage: (say) => {
    say('Setting the stage: Pakashop in a git repository, a PostgreSQL, a Redis, all in a scratch folder')
    return setStage()
  },
  tell,
  advice: ({ home, repository, portOffset }) => `  export DROVER_HOME=${home}; cd ${repository}
  drover status production            what runs where (drover is ${process.cwd()}/bin/drover)
  drover logs production gateway -f   what it says
  drover plan production              what the next release would do
  curl http://127.0.0.1:${8000 + portOffset}/api/v1/products/SKU-001
`,
  end: async (stage) => {
    // A demo that was interrupted may have a release under way.
    await endRelease(stage)
    await drover(stage, 'teardown', 'production', '--yes')
    await drover(stage, 'stop')
  },
})

async function tell({ stage, tale, say }: Told<Stage>): Promise<string[]> {
  const deploy = ['deploy', 'production']
  await tale.release('first release', deploy)
  const { portOffset } = stage
  tale.openDoors(pakashopTargets({ host: '127.0.0.1', portOffset, run: randomBytes(4).toString('hex') }))
  say(
    `\nFrom here on ${REQUESTS_PER_SECOND} requests a second over all 19 services: kept connections, slow answers, uploads`,
  )
  bump(stage, 'coupon', '1.0.1')
  await tale.release('one service changed', deploy)
  await tale.release('nothing changed', deploy)
  bump(stage, 'all', '1.1.0')
  await tale.release('all 19 changed', deploy)
  await misbehave(stage, 'coupon', { from: '"neverReady": false', to: '"neverReady": true' })
  await tale.release('never ready', deploy, { expectedExit: 4 })
  await misbehave(stage, 'coupon', { from: '"neverReady": true', to: '"neverReady": false' })
  await misbehave(stage, 'coupon', { from: '"failAfter": 0', to: '"failAfter": 20' })
  await tale.release('fails under traffic', deploy, { expectedExit: 4 })
  await misbehave(stage, 'coupon', { from: '"failAfter": 20', to: '"failAfter": 0' })
  bump(stage, 'all', '1.2.0')
  await tale.release('kill -9 in mid-release', deploy, { meanwhile: () => killDroverIn(stage, 'start', say) })
  await tale.release('rollback', ['rollback', 'production'])
  await tale.release('rollback of one service', ['rollback', 'production', '--service', 'pricing'])
  await tale.look('status', 'production')
  return []
}
