import { setTimeout as sleep } from 'node:timers/promises'
import { getJson } from './peers.js'

/**
 * What must be true before a service is ready: its flags are read, the services that it needs are ready and its stores
 * answer. While its release is not live yet, DROVER_SET leads the questions to its own release.
 */
export async function prepare({ needs, stores, details, flags }) {
  const set = process.env.DROVER_SET
  await Promise.all([
    ...needs.map((peer) =>
      untilDone(peer, details, async () => {
        if (peer !== 'config') return getJson(peer, '/health/ready', set).then((ready) => ({ version: ready.version }))
        const answer = await getJson('config', '/flags', set)
        Object.assign(flags, answer.flags)
        return { version: answer.version, flags: Object.keys(answer.flags).length }
      }),
    ),
    ...Object.entries(stores).map(([name, store]) => untilDone(name, details, () => store.check())),
  ])
}

async function untilDone(name, details, attempt) {
  for (let pause = 50; ; pause = Math.min(pause * 1.5, 500)) {
    try {
      details[name] = { ok: true, ...(await attempt()) }
      return
    } catch (error) {
      details[name] = { ok: false, detail: error.message || error.code }
    }
    await sleep(pause)
  }
}
