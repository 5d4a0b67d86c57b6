import type { SeveralHosts } from './several-hosts.ts'

/** An edge that runs nothing, and three hosts of which each runs another part. */
export const MANIFEST = `
fleet: shop
defaults: { start: run, ready: { path: /ready, timeout: 1s } }
hosts: { edge: edge, h1: h1, h2: h2, h3: h3 }
environments:
  test: { branch: main, hosts: [edge, h1, h2, h3], verify: { watch: 0s }, warm: 0s }
services:
  api: { language: command, port: 3000, slots: [3001, 3002], on: [h1, h2, h3], smoke: [/] }
  web: { language: command, port: 3010, slots: [3011, 3012], on: [h1, h2], needs: [api] }
  jobs: { language: command, port: 3020, slots: [3021, 3022], on: [h2], singleton: true }
`
export const HOSTS = ['edge', 'h1', 'h2', 'h3']
export const ONE = { api: '1', web: '1', jobs: '1' }
export const TWO = { api: '2', web: '2', jobs: '2' }
export const THREE = { api: '3', web: '3', jobs: '3' }

/** The versions in the live slots of these hosts, by what runs there and not by what is recorded. */
export async function versionsOn(hosts: SeveralHosts, names: readonly string[]): Promise<string> {
  const running = await Promise.all(names.map(async (name) => Object.values(await hosts.runs(name))))
  return versionsIn(running.flat())
}

/** The versions that answer on all hosts. */
export async function versionsAnswering(hosts: SeveralHosts): Promise<string> {
  const answers = await Promise.all(HOSTS.map(async (name) => Object.values(await hosts.answers(name))))
  return versionsIn(answers.flat())
}

function versionsIn(answers: readonly string[]): string {
  return [...new Set(answers.map((answer) => answer.split(' ')[1]))].toSorted(byCodeUnits).join(' and ')
}

/** Since when hosts are marked. */
export async function marked(hosts: SeveralHosts): Promise<Record<string, number>> {
  const found = (await hosts.status()).hosts
  return Object.fromEntries(found.flatMap(({ host, behind }) => (behind === undefined ? [] : [[host, behind.since]])))
}

function byCodeUnits(a = '', b = ''): number {
  return a < b ? -1 : 1
}
