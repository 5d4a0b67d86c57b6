/** How long a plan takes, and how that grows: `node --expose-gc bench/planning.ts`. Every service runs on every host; all of them change. */
import { makePlan } from '../src/release/plan.ts'
import type { HostState, PlanInput, WantedService } from '../src/release/plan.ts'

const SIZES = [
  { services: 500, hosts: 50 },
  { services: 1000, hosts: 100 },
  { services: 2000, hosts: 100 },
  { services: 2000, hosts: 200 },
] as const

const ROUNDS = 5

function input(services: number, hosts: number): PlanInput {
  const names = Array.from({ length: hosts }, (_, index) => `host-${index}`)
  const everywhere = new Set(names)
  const wanted = Array.from({ length: services }, (_, index): WantedService => ({
    name: `service-${index}`,
    source: `source-${index}-new`,
    artifact: `artifact-${index}-new`,
    config: `config-${index}`,
    // A tree of needs, ten deep at most for two thousand services, with a second need for every third service.
    needs: index === 0 ? [] : [`service-${index >> 1}`, ...(index % 3 === 0 ? [`service-${index >> 2}`] : [])],
    swaps: index % 50 === 49,
    hosts: everywhere,
    reasons: [],
    ...(index % 200 === 0 ? { migrates: 'database' } : {}),
  }))
  return {
    fleet: 'bench',
    environment: 'production',
    goal: 'deploy',
    wanted,
    hosts: names.map((name) => state(name, wanted)),
  }
}

function state(host: string, wanted: readonly WantedService[]): HostState {
  return {
    host,
    live: Object.fromEntries(wanted.map((service) => [service.name, 'a' as const])),
    slots: wanted.map((service) => ({
      service: service.name,
      slot: 'a',
      state: 'running',
      artifact: `${service.artifact}-before`,
      config: service.config,
      restarts: 0,
    })),
  }
}

interface Row {
  readonly services: number
  readonly hosts: number
  readonly steps: number
  /** Of the fastest round; the others were disturbed by something else. */
  readonly ms: number
  /** Processor time of the cheapest round, of the threads that collect garbage too. */
  readonly cpuMs: number
  /** What the plan keeps. */
  readonly megabytes: number
}

function measure(services: number, hosts: number): Row {
  const given = input(services, hosts)
  const { steps, megabytes } = measureMemory(given)
  const rounds = Array.from({ length: ROUNDS }, () => measureTime(given))
  const ms = Math.min(...rounds.map((round) => round.ms))
  const cpuMs = Math.min(...rounds.map((round) => round.cpuMs))
  return { services, hosts, steps, ms, cpuMs, megabytes }
}

function measureTime(given: PlanInput): { readonly ms: number; readonly cpuMs: number } {
  globalThis.gc?.()
  const cpu = process.cpuUsage()
  const began = performance.now()
  makePlan(given)
  const ms = performance.now() - began
  const used = process.cpuUsage(cpu)
  return { ms, cpuMs: (used.user + used.system) / 1000 }
}

function measureMemory(given: PlanInput): { readonly steps: number; readonly megabytes: number } {
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const plan = makePlan(given)
  globalThis.gc?.()
  const megabytes = (process.memoryUsage().heapUsed - before) / 2 ** 20
  // Asked afterwards, so that the plan is still there when its memory is measured.
  return { steps: plan.steps.length, megabytes }
}

const HEAD = ['services', 'hosts', 'steps', 'fastest ms', 'CPU ms', 'µs a step', 'growth', 'plan MB']

function print(rows: readonly Row[]): void {
  const lines = rows.map((row, index) => {
    const before = rows[index - 1]
    const growth = before === undefined ? '' : (row.cpuMs / before.cpuMs / (row.steps / before.steps)).toFixed(2)
    const { services, hosts, steps, ms, cpuMs, megabytes } = row
    const cells = [services, hosts, steps, ms.toFixed(0), cpuMs.toFixed(0), ((ms * 1000) / steps).toFixed(2), growth]
    return [...cells.map(String), megabytes.toFixed(0)]
  })
  for (const line of [HEAD, ...lines]) {
    process.stdout.write(`${line.map((cell, column) => cell.padStart(HEAD[column]!.length + 2)).join('')}\n`)
  }
  const peak = (process.resourceUsage().maxRSS / 1024).toFixed(0)
  process.stdout.write(
    `growth: processor time against steps, where 1 is linear; most memory in use at any time: ${peak} MB\n`,
  )
}

print(SIZES.map(({ services, hosts }) => measure(services, hosts)))
