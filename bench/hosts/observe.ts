import { setTimeout as delay } from 'node:timers/promises'
import type { Act, Setting } from './contestant.ts'
import type { FleetService } from './fleet.ts'

/** One act of a contestant, and what became of the services meanwhile. */
export interface Observed extends Act {
  /** In which a request that is sent counts; milliseconds since the epoch. */
  readonly from: number
  readonly to: number
  /** Services that another process serves than before. */
  readonly restarted: number
  /** Services that are ready in the end. */
  readonly ready: number
}

/** Damage goes on after the end of a tool that does not see it; so long it counts. */
const AFTERMATH_MS = 2_500

/** Lets a tool act, and looks at the services before and after, through the host's nginx as users do. */
export async function observe(setting: Setting, work: () => Promise<Act>): Promise<Observed> {
  const before = await processes(setting)
  const from = Date.now()
  const act = await work()
  await delay(AFTERMATH_MS)
  const to = Date.now()
  const after = await processes(setting)
  const restarted = [...after].filter(([name, pid]) => before.get(name) !== pid).length
  return { ...act, from, to, restarted, ready: await countReady(setting) }
}

async function countReady({ host, stage }: Setting): Promise<number> {
  const answers = await Promise.all(stage.services.map((service) => ask(host.address, service, '/health/ready')))
  return answers.filter((answer) => answer !== undefined).length
}

/** The process of each service that answers. */
async function processes({ host, stage }: Setting): Promise<Map<string, number>> {
  const found = stage.services.map(
    async (service) => [service.name, await ask(host.address, service, '/version')] as const,
  )
  return new Map((await Promise.all(found)).flatMap(([name, answer]) => (answer ? [[name, answer.pid]] : [])))
}

async function ask(address: string, { port }: FleetService, path: string): Promise<{ pid: number } | undefined> {
  try {
    const response = await fetch(`http://${address}:${port}${path}`, { signal: AbortSignal.timeout(3_000) })
    const body = await response.text()
    return response.ok ? (JSON.parse(body) as { pid: number }) : undefined
  } catch {
    return undefined
  }
}
