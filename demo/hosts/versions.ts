import { setTimeout as delay } from 'node:timers/promises'
import type { LabHost } from '../../lab/lab-host.ts'
import type { Target } from '../traffic.ts'

const ANSWER_MS = 2_000

/**
 * Version and release of every service that answers on a host, asked at its stable port and not of Drover; a service
 * that the host does not run is left out. Such as `coupon` to `1.0.1`.
 */
export async function versionsOn(host: LabHost, targets: readonly Target[]): Promise<Record<string, string>> {
  const asked = targets.map(async ({ service, port }): Promise<[string, string][]> => {
    const answer = await fetch(`http://${host.address}:${port}/version`, { signal: AbortSignal.timeout(ANSWER_MS) })
    const { version } = (await answer.json()) as { version: string }
    return [[service, version]]
  })
  const answers = await Promise.all(asked.map((answer) => answer.catch((): [string, string][] => [])))
  return Object.fromEntries(answers.flat())
}

/** `h2: 18 services of 1.0.0, coupon of 1.0.1`. */
export function versionsText(name: string, versions: Readonly<Record<string, string>>): string {
  const byVersion = Map.groupBy(Object.entries(versions), ([, version]) => version)
  const parts = [...byVersion]
    .toSorted(([, one], [, other]) => other.length - one.length)
    .map(([version, all]) => `${all.length === 1 ? all[0]![0] : `${all.length} services`} of ${version}`)
  return `${name}: ${parts.length === 0 ? 'no service answers' : parts.join(', ')}`
}

/** Whether a host comes to answer with these versions, within so many seconds. */
export async function comesToAnswer(
  host: LabHost,
  targets: readonly Target[],
  { versions, seconds }: { readonly versions: Readonly<Record<string, string>>; readonly seconds: number },
): Promise<boolean> {
  const end = Date.now() + seconds * 1000
  while (!isSame(await versionsOn(host, targets), versions)) {
    if (Date.now() > end) return false
    await delay(200)
  }
  return true
}

export function isSame(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}
