import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { sshConfiguration } from '../../../lab/as-host.ts'
import type { LabHost } from '../../../lab/lab-host.ts'
import { DEPLOY_USER } from '../../../lab/ready-host.ts'
import { startEmbeddedPostgres } from '../../../src/journal/embedded-postgres.ts'
import type { EmbeddedPostgres } from '../../../src/journal/embedded-postgres.ts'
import { choosePlaces } from '../../../src/journal/embedded/places.ts'
import type { Order } from '../../../src/release/records.ts'
import { makeSmallFleet } from '../../fleet/small-fleet.ts'
import type { Behaviour, SmallFleet } from '../../fleet/small-fleet.ts'
import { inspect } from './inspect.ts'
import type { HostView } from './inspect.ts'
import { Steered } from './steered.ts'
import { judge } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/** Longer than anything takes that ends by itself. */
const LATEST_MS = 180_000
/** So many that a version that fails them all after the switch is told by its traffic alone. */
const SMOKE = ['/1', '/2', '/3', '/4', '/5', '/6']
const SERVICES = ['config', 'shop', 'jobs']

/** How a release ended, by Drover's records. */
export interface Ended {
  readonly outcome: string
  readonly problems: string
}

/**
 * A fleet of three services, one of which must not run twice, on hosts of the lab, and a database for any number of
 * control planes that can be killed. What is live there is only ever changed by releases.
 */
export class Arena {
  readonly machines: readonly LabHost[]
  readonly fleet: SmallFleet
  /** Where the one service runs that must not run twice. */
  readonly lonely: LabHost
  readonly #folder: string
  readonly #postgres: EmbeddedPostgres
  #database: Client
  readonly #children = new Set<Steered>()
  #drover: Steered | undefined
  #counter = 1
  /** By what the hosts showed when they were last judged. */
  version = '1'

  private constructor(of: {
    machines: readonly LabHost[]
    fleet: SmallFleet
    folder: string
    postgres: EmbeddedPostgres
    database: Client
  }) {
    this.machines = of.machines
    this.fleet = of.fleet
    this.lonely = of.machines[Math.floor(of.machines.length / 2)]!
    this.#folder = of.folder
    this.#postgres = of.postgres
    this.#database = of.database
  }

  /** With version 1 live on these hosts, which are ready for Drover and bear nothing of its. */
  static async open(machines: readonly LabHost[]): Promise<Arena> {
    const folder = await mkdtemp(join(tmpdir(), 'drover-matrix-'))
    // As root the server runs as another user; behind closed folders its data would lie elsewhere and stay.
    await chmod(folder, 0o755)
    await writeFile(
      join(folder, 'ssh_config'),
      machines.map((machine) => sshConfiguration(machine, DEPLOY_USER)).join(''),
    )
    const postgres = await startEmbeddedPostgres({ folder: join(folder, 'postgres') })
    const database = await connect(postgres)
    const repository = join(folder, 'repository')
    const fleet = await makeSmallFleet({ folder: repository, journal: '/dev/null', watch: '300ms', warm: '0s' })
    const arena = new Arena({ machines, fleet, folder, postgres, database })
    try {
      await fleet.rewrite((manifest) => arena.#placed(manifest))
      await arena.commit('1')
      const { outcome, problems } = await arena.release(await arena.drover())
      const verdict = await arena.judged({ versions: ['1'] })
      if (outcome !== 'kept' || !('version' in verdict)) {
        throw new Error(`the fleet does not get on the hosts: ${outcome} ${JSON.stringify([problems, verdict])}`)
      }
    } catch (error) {
      await arena.close()
      throw error
    }
    return arena
  }

  /** The control plane that works; started again when it has ended, as systemd would. */
  async drover(): Promise<Steered> {
    if (this.#drover === undefined || !this.#children.has(this.#drover)) this.#drover = await this.#start('one')
    return this.#drover
  }

  /** One more, with a home of its own: with the same home it would be the same worker. */
  async rival(): Promise<Steered> {
    return this.#start((await this.drover()).home.endsWith('one') ? 'two' : 'one')
  }

  /** Makes it the one that works from here on. */
  take(drover: Steered): void {
    this.#drover = drover
  }

  /** The last words of those that run. */
  lines(): readonly string[] {
    return [...this.#children].flatMap(({ lines }) => lines.slice(-20))
  }

  next(): string {
    return String(++this.#counter)
  }

  /** All services in this version. Gives the commit. */
  async commit(version: string): Promise<string> {
    await this.#watching('300ms')
    return this.#commit(version, {})
  }

  /** The same, but what it does to traffic after the switch is so bad that its release is undone. */
  async commitBad(version: string): Promise<string> {
    await this.#watching('20s')
    return this.#commit(version, { shop: { failAfter: SMOKE.length } })
  }

  order(ref = 'main'): Order {
    return { goal: 'deploy', repository: this.fleet.folder, ref }
  }

  async release(drover: Steered): Promise<Ended> {
    await drover.ask({ ask: 'request', order: this.order() })
    return this.ended()
  }

  /**
   * Waits until every release has ended and nothing is under way any more, whichever control plane did it, and starts one
   * when there is none. How the newest release ended.
   */
  async ended(): Promise<Ended> {
    const until = performance.now() + LATEST_MS
    const text = `
      select outcome, problems::text, exists (
        select from dbos.workflow_status where status in ('PENDING', 'ENQUEUED')
      ) as busy
      from drover.releases order by number desc limit 1`
    for (;;) {
      await this.drover()
      const [row] = await this.query<{ outcome: string | null; problems: string; busy: boolean }>(text)
      if (row !== undefined && row.outcome !== null && !row.busy) return { ...row, outcome: row.outcome }
      if (performance.now() > until) throw new Error(`after ${LATEST_MS / 1000} s Drover is still at work`)
      await delay(50)
    }
  }

  /** The control plane that has the newest release, by the process that the release names. */
  async atWork(): Promise<Steered> {
    for (const until = performance.now() + LATEST_MS; performance.now() < until; await delay(20)) {
      const text = 'select worker, outcome from drover.releases order by number desc limit 1'
      const [row] = await this.query<{ worker: string | null; outcome: string | null }>(text)
      const found = [...this.#children].find(({ pid }) => row?.worker?.endsWith(` ${pid}`) === true)
      if (found !== undefined && row?.outcome === null) return found
    }
    throw new Error('no control plane took the release')
  }

  /** Stops the database at once (`immediate`), and keeps it from coming back for so long: its data is put aside. */
  async outage(ms: number): Promise<void> {
    const { data } = await choosePlaces(join(this.#folder, 'postgres'))
    await this.#database.end()
    process.kill(this.#postgres.pid, 'SIGQUIT')
    await rename(data, `${data}.away`)
    await delay(ms)
    await rename(`${data}.away`, data)
    this.#database = await connect(this.#postgres)
  }

  /** How often a process of each slot has begun to listen, ever, by what it wrote itself: `h1 shop.a`. */
  async starts(): Promise<Map<string, number>> {
    const found = new Map<string, number>()
    for (const machine of this.machines) {
      const said = await machine.inside(['journalctl', '--no-pager', '-o', 'json', '-g', '^listening on'])
      for (const line of said.split('\n').filter((text) => text !== '')) {
        const entry = JSON.parse(line) as { readonly _SYSTEMD_UNIT?: string }
        const [, service, slot] = /^small-test-(.+)@([ab])\.service$/.exec(entry['_SYSTEMD_UNIT'] ?? '') ?? []
        const name = `${machine.name} ${service}.${slot}`
        found.set(name, (found.get(name) ?? 0) + 1)
      }
    }
    return found
  }

  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#database.query<Row>(text, [...values])).rows
  }

  /** What every host shows that is on. */
  async look(): Promise<HostView[]> {
    const sight = { root: '/srv/drover/small/test', prefix: 'small-test', ports: this.#ports() }
    const views = this.machines.map(async (machine) =>
      (await machine.state()).power === 'on' ? [await inspect(machine, sight)] : [],
    )
    return (await Promise.all(views)).flat()
  }

  /** What the hosts show that can be reached now is one of these versions, wholly. */
  async judged(expected: { readonly versions: readonly string[] }, views?: readonly HostView[]): Promise<Verdict> {
    const states = await Promise.all(this.machines.map((machine) => machine.state()))
    const away = this.machines.filter((_, index) => states[index]!.power === 'off' || states[index]!.network === 'cut')
    return judge(views ?? (await this.look()), {
      placed: Object.fromEntries(SERVICES.map((service) => [service, this.#hostsOf(service)])),
      singletons: ['jobs'],
      away: away.map(({ name }) => name),
      ...expected,
    })
  }

  /** Takes everything off the hosts again, also what a cell has left that failed. */
  async close(): Promise<void> {
    for (const machine of this.machines) {
      await machine.networkHeal()
      await machine.powerOn()
    }
    try {
      const drover = await this.drover()
      for (const child of this.#children) if (child !== drover) await child.kill()
      await this.ended()
      await drover.ask({ ask: 'teardown' })
    } finally {
      for (const child of this.#children) await child.kill()
      await this.#database.end()
      await this.#postgres.stop()
      await rm(this.#folder, { recursive: true, force: true })
    }
  }

  async #start(name: string): Promise<Steered> {
    const home = join(this.#folder, name)
    await mkdir(home, { recursive: true, mode: 0o711 })
    const started = new Steered({ home, sshConfig: join(this.#folder, 'ssh_config') }, this.#postgres.url.open())
    this.#children.add(started)
    void started.exited.then(() => this.#children.delete(started))
    return started.opened()
  }

  #commit(version: string, behaviours: Readonly<Record<string, Partial<Behaviour>>>): Promise<string> {
    const all = SERVICES.map((service) => [service, { version, ...behaviours[service] }] as const)
    return this.fleet.commit(Object.fromEntries(all))
  }

  #watching(time: string): Promise<void> {
    return this.fleet.rewrite((manifest) => manifest.replace(/watch: \w+/, `watch: ${time}`))
  }

  #hostsOf(service: string): string[] {
    return service === 'jobs' ? [this.lonely.name] : this.machines.map(({ name }) => name)
  }

  #ports(): Record<string, number> {
    return Object.fromEntries(SERVICES.map((service) => [service, this.fleet.ports[service]!]))
  }

  /** The small fleet without its middle, on hosts of the lab. */
  #placed(manifest: string): string {
    const names = this.machines.map(({ name }) => name)
    return manifest
      .replace('environments:', `hosts: { ${names.map((name) => `${name}: ${name}`).join(', ')} }\nenvironments:`)
      .replace('{ branch: main,', `{ branch: main, hosts: [${names.join(', ')}],`)
      .replace(/^ {2}gateway: .*\n/m, '')
      .replace('needs: [config, gateway]', `needs: [config], smoke: [${SMOKE.join(', ')}]`)
      .replace('singleton: true', `singleton: true, on: [${this.lonely.name}]`)
  }
}

/** Also to a server that is about to come back. */
async function connect({ url }: EmbeddedPostgres): Promise<Client> {
  for (const until = performance.now() + LATEST_MS; ; await delay(50)) {
    const client = new Client({ connectionString: url.open() })
    // A session that a stopped server ends is somebody's intention here.
    client.on('error', () => undefined)
    try {
      await client.connect()
      return client
    } catch (error) {
      if (performance.now() > until) throw error
    }
  }
}
