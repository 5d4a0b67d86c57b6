import { setTimeout as delay } from 'node:timers/promises'
import type { Command, Host, Probe, ProbeAnswer } from '../../src/hosts/host.ts'
import { printingHost } from '../../src/hosts/printing/printing-host.ts'
import { memoryEngine } from '../../src/journal/memory/memory-engine.ts'
import type { BrokenGlass } from '../../src/release/break-glass.ts'
import type { Context } from '../../src/release/context.ts'
import { healReturned } from '../../src/release/heal-returned.ts'
import { makeControlPlane } from '../../src/release/make-control-plane.ts'
import type { ControlPlane, EnvironmentStatus } from '../../src/release/control-plane.ts'
import type { StoredRelease } from '../../src/release/record-store.ts'
import type { EnvironmentRef, Order, ReleaseRef } from '../../src/release/records.ts'
import { defineRelease } from '../../src/release/release.ts'
import { memoryRouter } from '../../src/routers/memory/memory-router.ts'
import type { Route, Router, RouteSet } from '../../src/routers/router.ts'
import { memoryRuntime } from '../../src/runtimes/memory/memory-runtime.ts'
import type { Behaviour, MemoryRuntime } from '../../src/runtimes/memory/memory-runtime.ts'
import type { Runtime, SlotSpec } from '../../src/runtimes/runtime.ts'
import { fleetInMemory } from './fleet-in-memory.ts'
import { net } from './net.ts'
import type { Net } from './net.ts'
import { marksInMemory, permitsInMemory, recordsInMemory } from './records-in-memory.ts'

export const ENVIRONMENT: EnvironmentRef = { fleet: 'shop', environment: 'test' }
const ROOT = '/srv/drover/shop/test'

/** A control plane with its hosts in one process: everything but the drivers is what runs in production. */
export interface SeveralHosts {
  readonly net: Net
  readonly controlPlane: ControlPlane
  /** The most that ever ran at once of a service that must not run twice. */
  readonly mostAtOnce: ReadonlyMap<string, number>
  /** Releases these versions and waits until that is over, with the sweep after it. */
  deploy(versions: Versions, more?: { without?: readonly string[]; manifest?: string }): Promise<StoredRelease>
  carryOut(order: Order): Promise<StoredRelease>
  status(): Promise<EnvironmentStatus>
  /** What Drover does by itself for hosts that are back, as if so much time had passed; waits until it is done. */
  upkeep(laterMs: number): Promise<void>
  /** What a client on this host gets from each service, as `service version`, or why not. */
  answers(host: string): Promise<Record<string, string>>
  /** The versions in the live slots of a host, whether it can be reached or not. */
  runs(host: string): Promise<Record<string, string>>
  /** Slots that run on a host beside the live ones, whether it can be reached or not. */
  beside(host: string): Promise<string[]>
  /** The hosts that this host sends requests of a service to. */
  peers(host: string, service: string): readonly string[]
  /** As if the process were killed and started again; what it has under way goes on, as that of a paused one would. */
  crash(): void
  /** A host as one meets it when there is nothing else. */
  brokenGlass(host: string): BrokenGlass & { readonly said: readonly string[] }
  /** From now on this host says of a slot's artifact what it is told to. */
  pretend(host: string, service: string, artifact: string): void
}

export type Versions = Readonly<Record<string, string>>

export interface SeveralHostsOptions {
  readonly manifest: string
  readonly behave?: (spec: SlotSpec, host: string) => Behaviour
}

export async function severalHosts(options: SeveralHostsOptions): Promise<SeveralHosts> {
  const wires = net()
  const source = fleetInMemory(ENVIRONMENT.environment)
  const records = recordsInMemory()
  const engine = memoryEngine()
  const machines = new Machines(wires, options.behave ?? (() => ({})))
  const context: Context = {
    records,
    marks: marksInMemory(),
    permits: permitsInMemory(() => engine.fence()),
    secrets: { read: async () => new Map(), place: () => 'nowhere' },
    store: source.store,
    worker: 'test',
    buildConcurrency: 1,
    host: ({ name }) => machines.host(name),
    address: async ({ name }) => `10.0.0.${name.replaceAll(/\D/g, '') || '9'}`,
    buildHost: printingHost(),
    runtime: () => machines.runtime,
    router: () => machines.router,
    builder: () => source.builder,
    repository: async () => source.repository,
    root: () => ROOT,
    reach: async () => undefined,
    log: () => undefined,
  }
  const { release } = defineRelease(engine, context)
  await engine.launch()
  const controlPlane = makeControlPlane({ context, engine, release, onEvent: () => () => undefined })

  async function carryOut(order: Order): Promise<StoredRelease> {
    return ended(await controlPlane.request(ENVIRONMENT, { order, actor: 'test' }))
  }

  async function ended({ number }: ReleaseRef): Promise<StoredRelease> {
    const id = `shop/test/${number}`
    while ((await engine.result(id)) === undefined) await delay(1)
    const release = await records.find({ ...ENVIRONMENT, number })
    if (release.outcome === 'kept') while ((await engine.result(`${id}/sweep`)) === undefined) await delay(1)
    return release
  }

  return {
    net: wires,
    controlPlane,
    mostAtOnce: machines.mostAtOnce,
    carryOut,
    async deploy(versions, { without, manifest = options.manifest } = {}) {
      await source.commit(manifest, versions)
      const left = without === undefined ? {} : { without }
      return carryOut({ goal: 'deploy', repository: '/repository', ref: 'main', ...left })
    },
    async upkeep(laterMs) {
      await healReturned({ context, controlPlane }, Date.now() + laterMs)
      for (const release of await records.open(ENVIRONMENT)) await ended(release)
    },
    brokenGlass: (host) => machines.brokenGlass(host),
    crash: () => engine.crashAndResume(),
    status: () => controlPlane.status(ENVIRONMENT),
    answers: (host) => machines.answers(host),
    runs: (host) => machines.runs(host),
    beside: (host) => machines.beside(host),
    peers: (host, service) => machines.peers(host, service),
    pretend: (host, service, artifact) => machines.pretend(host, service, artifact),
  }
}

/** The hosts, and drivers that reach them over the net. */
class Machines {
  readonly runtime: Runtime
  readonly router: Router
  readonly mostAtOnce = new Map<string, number>()
  readonly #net: Net
  readonly #hosts = new Map<string, Host>()
  readonly #slots: MemoryRuntime
  readonly #sets = memoryRouter({ listens: false })
  readonly #routes = new Map<string, readonly Route[]>()
  readonly #pending = new Map<string, RouteSet>()
  readonly #pretended = new Map<string, string>()
  readonly #files = new Map<string, string>()

  constructor(wires: Net, behave: (spec: SlotSpec, host: string) => Behaviour) {
    this.#net = wires
    let starting = ''
    this.#slots = memoryRuntime((spec) => ({
      answer: () => ({ status: 200, body: spec.start.replace('run ', '') }),
      ...behave(spec, starting),
    }))
    const slots = this.#slots
    const sets = this.#sets
    const over = <T>(host: Host, work: () => Promise<T>): Promise<T> => wires.ask(host.name, work)
    this.runtime = {
      ...slots,
      prepare: (host, fence) => over(host, () => slots.prepare(host, fence)),
      start: (host, fence, specs) =>
        over(host, async () => {
          starting = host.name
          await slots.start(host, fence, specs)
          await this.#countRunning()
        }),
      stop: (host, fence, refs) => over(host, () => slots.stop(host, fence, refs)),
      observe: (host, root, refs) =>
        over(host, async () =>
          (await slots.observe(host, root, refs)).map((report) => {
            const artifact = this.#pretended.get(`${host.name} ${report.service}`)
            return artifact === undefined ? report : { ...report, artifact }
          }),
        ),
      teardown: (host, fence) => over(host, () => slots.teardown(host, fence)),
    }
    this.router = {
      ...sets,
      shape: (host, fence, routes) =>
        over(host, async () => {
          const changed = await sets.shape(host, fence, routes)
          this.#routes.set(host.name, routes)
          return changed
        }),
      lay: (host, fence, set, token) =>
        over(host, async () => {
          await sets.lay(host, fence, set, token)
          if (token !== undefined) this.#pending.set(`${host.name} ${token.open()}`, set)
        }),
      switch: (host, fence, set) => over(host, () => sets.switch(host, fence, set)),
      settle: (host, fence, set, besides) =>
        over(host, async () => {
          await sets.settle(host, fence, set, besides)
          for (const each of besides) {
            if (each.kind === 'write') this.#files.set(`${host.name} ${each.path}`, String(each.content))
          }
        }),
      prune: (host, fence, keep) => over(host, () => sets.prune(host, fence, keep)),
      observe: (host, root) => over(host, () => sets.observe(host, root)),
      traffic: (host, root, from, to) => over(host, () => sets.traffic(host, root, from, to)),
      teardown: (host, fence) => over(host, () => sets.teardown(host, fence)),
    }
  }

  host(name: string): Host {
    const known = this.#hosts.get(name) ?? this.#made(name)
    this.#hosts.set(name, known)
    return known
  }

  pretend(host: string, service: string, artifact: string): void {
    this.#pretended.set(`${host} ${service}`, artifact)
  }

  brokenGlass(name: string): BrokenGlass & { readonly said: readonly string[] } {
    const said: string[] = []
    return {
      host: this.host(name),
      root: ROOT,
      runtime: () => this.runtime,
      router: () => this.router,
      now: () => Date.now(),
      signal: new AbortController().signal,
      say: (line) => void said.push(line),
      said,
    }
  }

  peers(host: string, service: string): readonly string[] {
    const route = this.#routes.get(host)?.find((each) => each.service === service)
    return route !== undefined && 'peers' in route ? route.peers.map((peer) => peer.host) : []
  }

  async runs(name: string): Promise<Record<string, string>> {
    const host = this.host(name)
    const choices = (await this.#sets.observe(host, ROOT)).live?.choices ?? {}
    const slots = await this.#slots.observe(host, ROOT)
    const live = slots.filter(({ service, slot, state }) => choices[service]?.slot === slot && state === 'running')
    return Object.fromEntries(live.map(({ service, port }) => [service, this.#ask(host, port).body]))
  }

  async beside(name: string): Promise<string[]> {
    const host = this.host(name)
    const choices = (await this.#sets.observe(host, ROOT)).live?.choices ?? {}
    const slots = await this.#slots.observe(host, ROOT)
    const beside = slots.filter(({ service, slot, state }) => state === 'running' && choices[service]?.slot !== slot)
    return beside.map(({ service, slot }) => `${service}.${slot} on ${name}`)
  }

  async answers(name: string): Promise<Record<string, string>> {
    const entries = (this.#routes.get(name) ?? []).map(async ({ service, port }) => {
      const answer = await this.#answer(name, { port, path: '/', timeoutMs: 1 })
      return [service, answer.status === 200 ? answer.body : (answer.error ?? String(answer.status))] as const
    })
    return Object.fromEntries(await Promise.all(entries))
  }

  #made(name: string): Host {
    const printing = printingHost({ name, answer: (command) => said(command) ?? this.#read(name, command) })
    const ask = <T>(work: () => Promise<T>): Promise<T> => this.#net.ask(name, work)
    return {
      ...printing,
      run: (command, options) => ask(() => printing.run(command, options)),
      uploadAll: (parcels, options) => ask(() => printing.uploadAll(parcels, options)),
      probe: (probes) => ask(() => Promise.all(probes.map((probe) => this.#answer(name, probe)))),
    }
  }

  #read(name: string, { summary, argv }: Command): { stdout: string } | undefined {
    if (argv[1]?.includes('/fence') === true) return { stdout: '0\n' }
    if (summary !== 'read the releases') return undefined
    const records = [...this.#files].filter(([file]) => file.startsWith(`${name} ${ROOT}/releases/`))
    return { stdout: records.map(([, content]) => `${content.replaceAll('\n', '')}\n`).join('') }
  }

  #ask(host: Host, port: number | undefined): ProbeAnswer {
    return this.#slots.answer(host, { port: port ?? 0, path: '/', timeoutMs: 1 })
  }

  /** As the port of a slot would, or a stable port with its router behind it. */
  async #answer(name: string, probe: Probe): Promise<ProbeAnswer> {
    const host = this.host(name)
    const route = this.#routes.get(name)?.find(({ port }) => port === probe.port)
    if (route === undefined) return this.#slots.answer(host, probe)
    if ('peers' in route) {
      const peer = route.peers.find((each) => !this.#net.isAway(each.host))
      return peer === undefined ? failed('no host answers') : this.#answer(peer.host, probe)
    }
    const pending = this.#pending.get(`${name} ${probe.headers?.['x-drover-set'] ?? ''}`)
    const set = pending ?? (await this.#sets.observe(host, ROOT)).live
    const choice = set?.choices[route.service]
    if (choice === undefined) return failed('not released')
    return this.#slots.answer(host, { ...probe, port: route.slotPorts[choice.slot === 'a' ? 0 : 1] })
  }

  async #countRunning(): Promise<void> {
    const all = await Promise.all([...this.#hosts.values()].map((host) => this.#slots.observe(host, ROOT)))
    const running = Map.groupBy(
      all.flat().filter(({ state }) => state === 'running'),
      ({ service }) => service,
    )
    for (const [service, slots] of running) {
      this.mostAtOnce.set(service, Math.max(this.mostAtOnce.get(service) ?? 0, slots.length))
    }
  }
}

/** A disk with room, and files that are all where they are looked for. */
function said({ argv }: Command): { stdout: string } | undefined {
  if (!argv.includes('disk')) return undefined
  const line = 'disk 9999999 1 9999999 1% /\n'
  return { stdout: `heading\n${line}heading\n${line}` }
}

function failed(error: string): ProbeAnswer {
  return { status: undefined, body: '', error, durationMs: 0 }
}
