import { randomBytes } from 'node:crypto'
import { ask, bump, misbehave, reached } from '../acts.ts'
import { pakashopTargets } from '../pakashop-traffic.ts'
import { REQUESTS_PER_SECOND } from '../perform.ts'
import type { Told } from '../perform.ts'
import type { Target } from '../traffic.ts'
import type { HostsStage } from './hosts-stage.ts'
import { openToThePublic, placeFleet } from './place.ts'
import { comesToAnswer, isSame, versionsOn, versionsText } from './versions.ts'

/** Of a host that boots, until its services answer. */
const BACK_SECONDS = 60
/** After a power cut, until the others have found out; nothing is sent there any more. */
const FOUND_OUT_MS = 3_000
const DEPLOY = ['deploy', 'production']

interface Chapter extends Told<HostsStage> {
  /** What the traffic asks of the edge, and every host at the same ports. */
  readonly targets: readonly Target[]
  /** What is promised beside exit codes and answers; said at the end where it was not so. */
  readonly promise: (what: string, isKept: boolean) => void
}

/** The story, from three bare hosts to a rollback; gives the promises that were broken. */
export async function tell(told: Told<HostsStage>): Promise<string[]> {
  const broken: string[] = []
  const { address } = told.stage.edge
  const chapter: Chapter = {
    ...told,
    targets: pakashopTargets({ host: address, portOffset: 0, run: randomBytes(4).toString('hex') }),
    promise: (what, isKept) => void (isKept || broken.push(what)),
  }
  await makeReady(chapter)
  await goLive(chapter)
  await loseAHost(chapter)
  await bringItBack(chapter)
  await lookAround(chapter)
  return broken
}

async function makeReady({ stage, tale, say, promise }: Chapter): Promise<void> {
  const { edge, apps } = stage
  const all = [edge, ...apps].map(({ name }) => name)
  await tale.look('hosts', 'add', edge.name, `admin@${edge.name}`, '--label', 'edge')
  for (const { name } of apps) await tale.look('hosts', 'add', name, `admin@${name}`, '--label', 'app')
  say(`\nIn drover.yaml now, with where the fleet runs:\n${await placeFleet(stage)}`)
  const bootstrap = ['hosts', 'bootstrap', ...all, '--as', 'admin', '--yes']
  await tale.command('three bare hosts', bootstrap, 'ready')
  await tale.command('bootstrap again', bootstrap, 'unchanged')
  const { hosts } = await ask<{ hosts: { changed: number | null }[] }>(stage, ...bootstrap)
  promise(
    'a second bootstrap changes nothing',
    hosts.every(({ changed }) => changed === 0),
  )
}

async function goLive({ stage, tale, say, targets }: Chapter): Promise<void> {
  await tale.release('first release', DEPLOY)
  await openToThePublic(stage, targets)
  tale.openDoors(targets)
  say(
    `\nFrom here on ${REQUESTS_PER_SECOND} requests a second over all 19 services, from this machine to the nginx of ${stage.edge.name}`,
  )
  bump(stage, 'coupon', '1.0.1')
  await tale.release('one service changed', DEPLOY)
  await misbehave(stage, 'coupon', { from: '"failAfter": 0', to: '"failAfter": 20' })
  await tale.release('fails under traffic', DEPLOY, { expectedExit: 4 })
  await misbehave(stage, 'coupon', { from: '"failAfter": 20', to: '"failAfter": 0' })
}

/** In the middle of a release that changes all services. */
async function loseAHost({ stage, tale, say, targets, promise }: Chapter): Promise<void> {
  const [steady, fallen] = stage.apps
  const before = await versionsOn(steady, targets)
  bump(stage, 'all', '1.1.0')
  await tale.release('power cut in mid-release', DEPLOY, {
    expectedExit: 4,
    meanwhile: async () => {
      await reached(stage, 'start')
      const from = Date.now()
      await fallen.powerCut()
      say(`\n   >>> ${fallen.name} has no power any more\n`)
      return { from, to: from + FOUND_OUT_MS }
    },
  })
  const after = await versionsOn(steady, targets)
  say(`\n${versionsText(steady.name, after)}`)
  promise(`${steady.name} runs what it ran before the power cut`, isSame(before, after))
  await tale.look('hosts', 'list')
  await tale.release(`again, with ${fallen.name} away`, DEPLOY, { expectedExit: 3 })
  await tale.release(`without ${fallen.name}`, [...DEPLOY, '--without', fallen.name])
}

async function bringItBack({ stage, tale, say, targets, promise }: Chapter): Promise<void> {
  const [, fallen] = stage.apps
  await tale.event(`${fallen.name} has power again`, async () => {
    await fallen.powerOn()
    return { word: 'booted', exitCode: 0 }
  })
  await tale.release(`heal ${fallen.name}`, ['hosts', 'heal', 'production', fallen.name])
  const live = await versionsOn(fallen, targets)
  say(`\n${versionsText(fallen.name, live)}`)
  promise(
    `${fallen.name} runs what is live once it is healed`,
    Object.keys(live).length > 0 && Object.values(live).every((version) => version === '1.1.0'),
  )
  await tale.event(`reboot of ${fallen.name}`, async () => {
    const from = Date.now()
    await fallen.reboot()
    const isBack = await comesToAnswer(fallen, targets, { versions: live, seconds: BACK_SECONDS })
    say(versionsText(fallen.name, await versionsOn(fallen, targets)))
    // What a service answers before it is ready is its answer, and a POST is not asked twice.
    const broken = { from, to: Date.now() }
    return { word: isBack ? 'back by itself' : 'not back', exitCode: isBack ? 0 : 1, broken }
  })
}

async function lookAround({ tale }: Chapter): Promise<void> {
  await tale.release('rollback', ['rollback', 'production'])
  await tale.look('logs', 'production', 'coupon', '-n', '3')
  await tale.look('status', 'production')
  await tale.look('hosts', 'list')
}
