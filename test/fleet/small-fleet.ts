import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts } from '../free-ports.ts'

/** How a service of the small fleet behaves; written into its source, so that a change of it is a commit. */
export interface Behaviour {
  readonly version: string
  /** `never`: listens and answers 503 for ever. `exit`: ends at once. `hang`: never listens. */
  readonly start?: 'ready' | 'never' | 'exit' | 'hang'
  /** GETs answer 500 from the n-th request on. */
  readonly failAfter?: number
  readonly ignoresSigterm?: boolean
  /** How long it thinks about every request but a readiness probe. */
  readonly answersAfterMs?: number
  /** Written line by line to its output before it does anything else. */
  readonly printsMegabytes?: number
  /** A file to which it adds a line for every request but readiness probes. */
  readonly notesRequestsIn?: string
}

export interface SmallFleet {
  readonly folder: string
  readonly services: readonly string[]
  /** Stable ports by service. */
  readonly ports: Readonly<Record<string, number>>
  /** Commits new behaviours (and whatever else was written) on main; gives the commit's id. */
  commit(behaviours: Readonly<Record<string, Behaviour>>, message?: string): Promise<string>
  /** Rewrites drover.yaml for the next commit. */
  rewrite(change: (manifest: string) => string): Promise<void>
  git(...argv: string[]): string
}

export interface SmallFleetOptions {
  readonly folder: string
  /** A file in which the singleton notes when it begins and ends, to show two at once. */
  readonly journal: string
  readonly watch?: string
  readonly warm?: string
  /** The environment's folder on the host; absent: where Drover puts it. */
  readonly root?: string
}

/** config <- gateway <- shop, and `jobs`, a singleton: four services without dependencies, in a git repository of their own. */
export async function makeSmallFleet(options: SmallFleetOptions): Promise<SmallFleet> {
  const { folder } = options
  const services = ['config', 'gateway', 'jobs', 'shop']
  const free = await freePorts(services.length * 3)
  const ports = Object.fromEntries(services.map((service, index) => [service, free[index * 3]!]))
  const git = (...argv: string[]): string =>
    execFileSync(
      'git',
      [
        '-C',
        folder,
        '-c',
        'user.name=Test',
        '-c',
        'user.email=test@example.org',
        '-c',
        'commit.gpgsign=false',
        ...argv,
      ],
      { encoding: 'utf8' },
    ).trim()
  await mkdir(folder, { recursive: true })
  git('init', '-q', '-b', 'main')
  const manifestFile = join(folder, 'drover.yaml')
  await writeFile(manifestFile, manifest(options, services, free))
  for (const service of services) await writeService(folder, service, { version: '1' })
  git('add', '-A')
  git('commit', '-q', '-m', 'first')
  return {
    folder,
    services,
    ports,
    git,
    rewrite: async (change) => writeFile(manifestFile, change(await readFile(manifestFile, 'utf8'))),
    async commit(behaviours, message = 'change') {
      for (const [service, behaviour] of Object.entries(behaviours)) await writeService(folder, service, behaviour)
      git('add', '-A')
      git('commit', '-q', '--allow-empty', '-m', message)
      return git('rev-parse', 'HEAD')
    },
  }
}

function manifest(
  { watch = '1s', warm = '30s', journal, root }: SmallFleetOptions,
  services: readonly string[],
  free: readonly number[],
): string {
  const needs: Record<string, string> = {
    gateway: ', needs: [config]',
    shop: ', needs: [config, gateway]',
    jobs: ', needs: [config], singleton: true',
  }
  const lines = services.map(
    (service, index) =>
      `  ${service}: { port: ${free[index * 3]}, slots: [${free[index * 3 + 1]}, ${free[index * 3 + 2]}]${needs[service] ?? ''} }`,
  )
  const place = root === undefined ? '' : ` root: ${JSON.stringify(root)},`
  return `fleet: small
defaults: { drain: 2s, ready: { path: /ready, timeout: 20s } }
environments:
  test: { branch: main, verify: { watch: ${watch}, errors: 2%, requests: 5 }, warm: ${warm},${place} variables: { JOURNAL: ${JSON.stringify(journal)} } }
services:
${lines.join('\n')}
`
}

async function writeService(folder: string, service: string, behaviour: Behaviour): Promise<void> {
  const place = join(folder, 'services', service)
  await mkdir(place, { recursive: true })
  const { version } = behaviour
  const pack = { name: service, version: `${version}.0.0`, private: true, scripts: { start: 'node server.js' } }
  const lock = {
    name: service,
    version: `${version}.0.0`,
    lockfileVersion: 3,
    requires: true,
    packages: { '': { name: service, version: `${version}.0.0` } },
  }
  await writeFile(join(place, 'package.json'), JSON.stringify(pack))
  await writeFile(join(place, 'package-lock.json'), JSON.stringify(lock))
  await writeFile(join(place, 'behaviour.json'), JSON.stringify(behaviour))
  await writeFile(join(place, 'server.js'), SERVER)
}

/** A service as any team might write it: finishes what it has when it is told to stop, and starts only with SETTINGS that it understands. */
const SERVER = `
const http = require('node:http')
const fs = require('node:fs')
const behaviour = require('./behaviour.json')
const { PORT, HOST, DROVER_SERVICE, DROVER_SLOT, JOURNAL, CONFIG_URL, DROVER_SET } = process.env
for (let line = 0; line < (behaviour.printsMegabytes ?? 0) * 1024; line++) fs.writeSync(1, 'x'.repeat(1023) + '\\n')
if (behaviour.start === 'exit') { console.error('cannot start: behaviour says exit'); process.exit(3) }
const settings = JSON.parse(process.env.SETTINGS ?? '[]')
if (settings.length > 100) throw new Error('more settings than there is room for')
const note = (what) => fs.appendFileSync(JOURNAL, JSON.stringify({ what, pid: process.pid, at: Date.now(), version: behaviour.version }) + '\\n')
let asked = 0, ready = false, seenConfig
const server = http.createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    if (request.url === '/ready') return answer(response, ready ? 200 : 503, { ready })
    if (behaviour.notesRequestsIn) fs.appendFileSync(behaviour.notesRequestsIn, behaviour.version + ' ' + request.url + '\\n')
    asked++
    const status = behaviour.failAfter !== undefined && asked > behaviour.failAfter ? 500 : 200
    const afterMs = request.url === '/slow' ? 300 : behaviour.answersAfterMs
    if (afterMs === undefined) reply(response, status)
    else setTimeout(reply, afterMs, response, status)
  })
})
const reply = (response, status) => answer(response, status, status === 200 ? self() : { error: 'worn out' })
const self = () => ({ service: DROVER_SERVICE, version: behaviour.version, slot: DROVER_SLOT, pid: process.pid, seenConfig })
const answer = (response, status, body) => { response.writeHead(status, { 'content-type': 'application/json' }); response.end(JSON.stringify(body)) }
server.keepAliveTimeout = 65000
if (behaviour.start !== 'hang') server.listen(Number(PORT), HOST, async () => {
  console.log('listening on', PORT)
  if (CONFIG_URL) seenConfig = (await (await fetch(CONFIG_URL, { headers: DROVER_SET ? { 'x-drover-set': DROVER_SET } : {} })).json()).version
  if (behaviour.start !== 'never') ready = true
  if (DROVER_SERVICE === 'jobs') note('begin')
})
else setInterval(() => {}, 1000)
const stop = () => {
  if (behaviour.ignoresSigterm) return
  server.close(() => { if (DROVER_SERVICE === 'jobs') note('end'); process.exit(0) })
  server.closeIdleConnections()
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
`
