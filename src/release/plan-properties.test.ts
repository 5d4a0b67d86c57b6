import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { otherSlot } from '../manifest/fleet.ts'
import type { SlotName } from '../manifest/fleet.ts'
import type { SlotReport, SlotState } from '../runtimes/runtime.ts'
import { changesNothing, makePlan } from './plan.ts'
import type { HostState, Plan, PlanInput, Step, WantedService } from './plan.ts'

const FLEETS = 300
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

/** Numbers in [0, 1) that follow from the seed (mulberry32). */
function chance(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Random = () => number

function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!
}

function some<T>(random: Random, from: readonly T[], share: number): T[] {
  return from.filter(() => random() < share)
}

function shuffled<T>(random: Random, list: readonly T[]): T[] {
  return list
    .map((value) => ({ value, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
}

/** Any fleet on any hosts in any state, small enough that everything collides. */
function randomInput(random: Random): PlanInput {
  const hosts = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, index) => `h${index}`)
  const names = shuffled(
    random,
    Array.from({ length: 1 + Math.floor(random() * 9) }, (_, index) => `s${index}`),
  )
  const wanted = names.map((name, index): WantedService => ({
    name,
    source: pick(random, ['s1', 's2']),
    config: pick(random, ['c1', 'c2']),
    needs: some(random, [...names.slice(0, index), 'database'], 0.3),
    swaps: random() < 0.2,
    hosts: new Set(some(random, hosts, 0.7)),
    reasons: [],
    ...(random() < 0.9 ? { artifact: pick(random, ['v1', 'v2']) } : {}),
    ...(random() < 0.3 ? { migrates: pick(random, ['main', 'other']) } : {}),
  }))
  return {
    fleet: 'f',
    environment: 'e',
    goal: 'deploy',
    wanted,
    hosts: hosts.map((host) => randomHost(random, host, names)),
  }
}

function randomHost(random: Random, host: string, names: readonly string[]): HostState {
  const slots: SlotReport[] = []
  for (const service of [...names, 'old']) {
    for (const slot of some(random, ['a', 'b'] as const, 0.6)) {
      const state = pick<SlotState>(random, [
        'running',
        'running',
        'running',
        'running',
        'stopped',
        'crashed',
        'absent',
      ])
      slots.push({
        service,
        slot,
        state,
        artifact: pick(random, ['v1', 'v2']),
        config: pick(random, ['c1', 'c2']),
        restarts: 0,
      })
    }
  }
  const live = some(random, [...names, 'old'], 0.7).map((service): [string, SlotName] => [
    service,
    pick(random, ['a', 'b']),
  ])
  return { host, live: Object.fromEntries(live), slots }
}

/** The same facts told in another order. */
function reordered(random: Random, input: PlanInput): PlanInput {
  return {
    ...input,
    wanted: shuffled(random, input.wanted).map((service) => ({
      ...service,
      needs: shuffled(random, service.needs),
      hosts: new Set(shuffled(random, [...service.hosts])),
    })),
    hosts: shuffled(random, input.hosts).map((state) => ({
      ...state,
      live: Object.fromEntries(shuffled(random, Object.entries(state.live))),
      slots: shuffled(random, state.slots),
    })),
  }
}

/** Every fleet of this run, with its plan; a failure names the seed that makes it again. */
function forAll(check: (input: PlanInput, plan: Plan, random: Random) => void): void {
  for (let index = 0; index < FLEETS; index++) {
    const random = chance(seed + index)
    const input = randomInput(random)
    const plan = makePlan(input)
    try {
      check(input, plan, random)
    } catch (error) {
      throw new Error(
        `fails for SEED=${seed + index} (its first fleet): ${String(error)}\n${JSON.stringify(plan.steps, undefined, 1)}`,
        { cause: error },
      )
    }
  }
}

/** All steps that are done before each step. */
function ancestors(plan: Plan): Map<string, ReadonlySet<string>> {
  const found = new Map<string, ReadonlySet<string>>()
  for (const step of plan.steps) {
    found.set(step.key, new Set(step.after.flatMap((key) => [key, ...(found.get(key) ?? [])])))
  }
  return found
}

function of(plan: Plan, ...kinds: readonly Step['kind'][]): Step[] {
  return plan.steps.filter((step) => kinds.includes(step.kind))
}

function reportOf(state: HostState | undefined, service: string, slot: SlotName | undefined): SlotReport | undefined {
  return state?.slots.find((report) => report.service === service && report.slot === slot)
}

function isWanted(service: WantedService, report: SlotReport | undefined): boolean {
  return (
    service.artifact !== undefined &&
    report?.state === 'running' &&
    report.artifact === service.artifact &&
    report.config === service.config
  )
}

describe('every plan', () => {
  it('follows from what is said, not from the order in which it is said', (test) => {
    test.diagnostic(`SEED=${seed}`)
    forAll((input, plan, random) => assert.deepEqual(makePlan(reordered(random, input)), plan))
  })

  it('names each step once, after everything that it waits for', () => {
    forAll((_, plan) => {
      const earlier = new Set<string>()
      for (const step of plan.steps) {
        assert.ok(!earlier.has(step.key), `${step.key} stands twice`)
        for (const key of step.after) assert.ok(earlier.has(key), `${step.key} stands before ${key}`)
        earlier.add(step.key)
      }
    })
  })

  it('starts, adopts or swaps what differs on a host exactly once, and nothing else', () => {
    forAll((input, plan) => {
      const expected = input.hosts.flatMap((state) =>
        input.wanted
          .filter(
            (service) =>
              service.hosts.has(state.host) &&
              !isWanted(service, reportOf(state, service.name, state.live[service.name])),
          )
          .map((service) => `${state.host}/${service.name}`),
      )

      const actual = of(plan, 'start', 'adopt', 'swap').map((step) => `${step.host}/${step.service}`)

      assert.deepEqual(actual.sort(), expected.sort())
    })
  })

  it('works in the slot that is not live, and adopts only what is right already', () => {
    forAll((input, plan) => {
      for (const step of of(plan, 'start', 'adopt', 'swap')) {
        const state = input.hosts.find((candidate) => candidate.host === step.host)
        const service = input.wanted.find((candidate) => candidate.name === step.service)!
        const there = reportOf(state, service.name, step.slot)
        assert.notEqual(step.slot, state?.live[service.name])
        assert.equal(step.kind === 'swap', service.swaps)
        if (!service.swaps) assert.equal(step.kind === 'adopt', isWanted(service, there))
      }
    })
  })

  it('touches nothing that is live before everything is prepared', () => {
    forAll((_, plan) => {
      const before = ancestors(plan)
      for (const step of of(plan, 'leave', 'swap', 'switch', 'verify', 'retire'))
        assert.ok(before.get(step.key)?.has('prepared'), step.key)
      for (const step of of(plan, 'stage', 'migrate', 'start', 'adopt'))
        assert.ok(before.get('prepared')?.has(step.key), step.key)
    })
  })

  it('starts nothing before its files are there, its stores are migrated and its needs are ready', () => {
    forAll((input, plan) => {
      const before = ancestors(plan)
      const starts = of(plan, 'start', 'adopt')
      for (const step of starts) {
        const done = before.get(step.key) ?? new Set()
        const service = input.wanted.find((candidate) => candidate.name === step.service)
        assert.ok(done.has(`stage:${step.host}`), `${step.key} does not wait for its files`)
        for (const migration of of(plan, 'migrate'))
          assert.ok(done.has(migration.key), `${step.key} does not wait for ${migration.key}`)
        // What runs already found its needs when it started.
        if (step.kind === 'adopt') continue
        const needs = starts.filter((other) => service?.needs.includes(other.service ?? ''))
        const here = needs.filter((other) => other.host === step.host)
        const swapsHere = of(plan, 'swap')
          .filter((other) => other.host === step.host)
          .map((other) => other.service)
        for (const need of needs) {
          const satisfiedHere =
            swapsHere.includes(need.service) || here.some((other) => other.service === need.service && other !== need)
          assert.ok(done.has(need.key) || satisfiedHere, `${step.key} does not wait for ${need.key}`)
        }
      }
    })
  })

  it('migrates a store one after the other, once per service, where its files are', () => {
    forAll((input, plan) => {
      const before = ancestors(plan)
      const migrations = of(plan, 'migrate')
      for (const [index, step] of migrations.entries()) {
        const store = input.wanted.find((service) => service.name === step.service)?.migrates
        assert.ok(before.get(step.key)?.has(`stage:${step.host}`))
        for (const other of migrations.slice(0, index).filter((each) => each.key.startsWith(`migrate:${store}:`))) {
          assert.ok(before.get(step.key)?.has(other.key), `${step.key} does not wait for ${other.key}`)
        }
      }
      const moved = new Set(of(plan, 'start', 'adopt', 'swap').map((step) => step.service))
      const expected = input.wanted
        .filter((service) => service.migrates !== undefined && moved.has(service.name))
        .map((service) => service.name)
      assert.deepEqual(migrations.map((step) => step.service ?? '').sort(), expected.sort())
    })
  })

  it('leads to where nothing is left to do', () => {
    forAll((input, plan) => {
      const wanted = input.wanted.map((service) => ({ ...service, artifact: service.artifact ?? 'built' }))

      const again = makePlan({ ...input, wanted, hosts: carriedOut({ ...input, wanted }, plan) })

      assert.ok(changesNothing(again), JSON.stringify(again.steps))
      assert.deepEqual(new Set(again.services.map((service) => service.change)), new Set(['same']))
    })
  })

  it('retires every slot that was live and is no longer, unless the swap has stopped it', () => {
    forAll((input, plan) => {
      const swapped = of(plan, 'swap', 'leave').map((step) => `${step.host}/${step.service}`)
      const after = new Map(carriedOut(input, plan).map((state) => [state.host, state.live]))
      const idle = input.hosts.flatMap((state) =>
        Object.entries(state.live)
          .filter(
            ([service, slot]) =>
              after.get(state.host)?.[service] !== slot && !swapped.includes(`${state.host}/${service}`),
          )
          .map(([service, slot]) => ({
            host: state.host,
            service,
            slot,
            left: after.get(state.host)?.[service] === undefined,
          })),
      )

      const steps = of(plan, 'retire')

      const left = idle.filter((each) => each.left).map(({ host, service, slot }) => `${host}/${service}/${slot}`)
      const named = steps.filter((step) => step.service !== undefined)
      assert.deepEqual(named.map((step) => `${step.host}/${step.service}/${step.slot}`).sort(), left.sort())
      const replaced = new Set(idle.filter((each) => !each.left).map(({ host }) => host))
      const whole = steps.filter((step) => step.service === undefined).map((step) => step.host ?? '')
      assert.deepEqual(whole.sort(), [...replaced].sort())
    })
  })
})

/** What the hosts would report once the plan has been carried out. */
function carriedOut(input: PlanInput, plan: Plan): HostState[] {
  return input.hosts.map((state) => {
    const moves = of(plan, 'start', 'adopt', 'swap').filter((step) => step.host === state.host)
    const gone = of(plan, 'retire', 'leave').filter(
      (step) => step.host === state.host && state.live[step.service ?? ''] === step.slot,
    )
    const live = { ...state.live }
    for (const step of gone) delete live[step.service ?? '']
    const slots = new Map(state.slots.map((report) => [`${report.service}/${report.slot}`, report]))
    for (const { service: name = '', slot = 'a' } of moves) {
      const { artifact = 'built', config } = input.wanted.find((service) => service.name === name)!
      live[name] = slot
      slots.set(`${name}/${slot}`, { service: name, slot, state: 'running', artifact, config, restarts: 0 })
      slots.delete(`${name}/${otherSlot(slot)}`)
    }
    return { host: state.host, live, slots: [...slots.values()] }
  })
}
