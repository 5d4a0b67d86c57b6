import type { Host, Probe, ProbeAnswer } from '../../hosts/host.ts'
import type { Fence } from '../../hosts/operation.ts'
import { problem, Refusal, refusal } from '../../problem/problem.ts'
import type { Runtime, SlotRef, SlotReport, SlotSpec } from '../runtime.ts'

/** How a service behaves once it is started. Everything counts from the start of the slot. */
export interface Behaviour {
  /** Answers 503 to so many probes first. Default 0; Infinity never gets ready. */
  readonly readyAfter?: number
  /** Ends by itself at this probe or look, whichever comes first; 0 ends at once. */
  readonly exitsAfter?: number
  /** What it answers once ready. Default status 200, `ok`. */
  readonly answer?: (probe: Probe) => { readonly status: number; readonly body: string }
  /** Lines of its log. */
  readonly log?: readonly string[]
  /** Needs to be killed. */
  readonly ignoresStop?: boolean
}

export interface MemoryRuntime extends Runtime {
  /** What was done, in order: `start backend.a x1`, `stop backend.a`, `kill backend.b`. */
  readonly events: string[]
  /** Answers as the slots of a host would; for the memory host. */
  answer(host: Host, probe: Probe): ProbeAnswer
  /** Ends a slot as if it had crashed. */
  crash(host: Host, root: string, slot: SlotRef): void
  /** Something else listens on a port. */
  occupy(host: Host, port: number, program: string): void
}

interface LivingSlot {
  readonly spec: SlotSpec
  readonly behaviour: Behaviour
  readonly startedAt: number
  readonly pid: number
  asked: number
  state: 'running' | 'stopped' | 'crashed'
}

/** The slots of one host. */
interface Machine {
  readonly slots: Map<string, LivingSlot>
  readonly fences: Map<string, number>
  readonly strangers: Map<number, string>
}

/**
 * A runtime whose slots are values: for tests of what stands on runtimes. `behave` says how a spec behaves; the
 * default is ready at once. It keeps the promises of the port; a slot that ended is not started again.
 */
export function memoryRuntime(behave: (spec: SlotSpec) => Behaviour = () => ({})): MemoryRuntime {
  const machines = new WeakMap<Host, Machine>()
  const events: string[] = []
  let pids = 1000

  function machineOf(host: Host): Machine {
    const machine = machines.get(host) ?? { slots: new Map(), fences: new Map(), strangers: new Map() }
    machines.set(host, machine)
    return machine
  }

  function fenced(host: Host, fence: Fence): Machine {
    const machine = machineOf(host)
    const seen = machine.fences.get(fence.root) ?? 0
    if (fence.number < seen) {
      throw refusal(
        'hosts/fenced',
        `host ${host.name}`,
        `release ${fence.number} may not change ${fence.root}: release ${seen} has taken over`,
      )
    }
    machine.fences.set(fence.root, fence.number)
    return machine
  }

  function end(machine: Machine, root: string, slot: SlotRef): void {
    const living = machine.slots.get(keyOf(root, slot))
    if (living === undefined || living.state === 'stopped') {
      return
    }
    events.push(
      `${living.behaviour.ignoresStop === true && living.state === 'running' ? 'kill' : 'stop'} ${slot.service}.${slot.slot}`,
    )
    living.state = 'stopped'
  }

  function begin(machine: Machine, root: string, spec: SlotSpec): void {
    const present = machine.slots.get(keyOf(root, spec))
    if (present?.state === 'running' && sameProgram(present.spec, spec)) {
      return
    }
    end(machine, root, spec)
    pids += 1
    const behaviour = behave(spec)
    machine.slots.set(keyOf(root, spec), {
      spec,
      behaviour,
      startedAt: Date.now(),
      pid: pids,
      asked: 0,
      state: 'running',
    })
    events.push(`start ${spec.service}.${spec.slot} ${spec.artifact}`)
  }

  return {
    name: 'memory',
    capabilities: { survivesReboot: false, limits: false },
    events,
    async prepare(host, fence) {
      fenced(host, fence)
    },
    async start(host, fence, slots) {
      const machine = fenced(host, fence)
      const taken = slots.filter((spec) => spec.port !== undefined && isTaken(machine, fence.root, spec, spec.port))
      if (taken.length > 0) {
        throw new Refusal(
          taken.map((spec) =>
            problem(
              'runtimes/port-taken',
              `host ${host.name}, ${spec.service}.${spec.slot}`,
              `port ${spec.port} is taken`,
            ),
          ),
        )
      }
      for (const spec of slots) {
        begin(machine, fence.root, spec)
      }
    },
    async stop(host, fence, slots) {
      const machine = fenced(host, fence)
      for (const slot of slots) {
        end(machine, fence.root, slot)
      }
    },
    async observe(host, root, slots) {
      const machine = machineOf(host)
      const known = [...machine.slots].filter(([key]) => key.startsWith(`${root} `)).map(([, living]) => look(living))
      return slots === undefined ? known : slots.map((slot) => known.find((one) => isSlot(one, slot)) ?? absent(slot))
    },
    async tail(host, root, slot, lines) {
      const log = machineOf(host).slots.get(keyOf(root, slot))?.behaviour.log ?? []
      return lines > 0 ? log.slice(-lines) : []
    },
    async follow(host, root, slots, { lines, signal, onLine }) {
      for (const slot of slots) {
        const log = machineOf(host).slots.get(keyOf(root, slot))?.behaviour.log ?? []
        for (const line of lines > 0 ? log.slice(-lines) : []) {
          onLine(slot, line)
        }
      }
      await untilAborted(signal)
    },
    async teardown(host, fence) {
      const machine = fenced(host, fence)
      for (const [key, { spec }] of machine.slots) {
        if (key.startsWith(`${fence.root} `)) {
          end(machine, fence.root, spec)
          machine.slots.delete(key)
        }
      }
    },
    answer(host, probe) {
      const living = [...machineOf(host).slots.values()].find(
        (one) => one.spec.port === probe.port && one.state === 'running',
      )
      return living === undefined ? noAnswer() : ask(living, probe)
    },
    crash(host, root, slot) {
      const living = machineOf(host).slots.get(keyOf(root, slot))
      if (living !== undefined) {
        living.state = 'crashed'
      }
    },
    occupy(host, port, program) {
      machineOf(host).strangers.set(port, program)
    },
  }
}

function isTaken(machine: Machine, root: string, spec: SlotSpec, port: number): boolean {
  const other = [...machine.slots].some(
    ([key, living]) => key !== keyOf(root, spec) && living.state === 'running' && living.spec.port === port,
  )
  return other || machine.strangers.has(port)
}

/** Time in memory passes by being looked at. */
function look(living: LivingSlot): SlotReport {
  passOne(living)
  const { spec } = living
  return {
    service: spec.service,
    slot: spec.slot,
    state: living.state,
    ...(living.state === 'running' ? { pid: living.pid } : {}),
    artifact: spec.artifact,
    config: spec.config,
    release: spec.release,
    ...(spec.port === undefined ? {} : { port: spec.port }),
    restarts: 0,
    startedAt: living.startedAt,
  }
}

function ask(living: LivingSlot, probe: Probe): ProbeAnswer {
  passOne(living)
  if (living.state !== 'running') {
    return noAnswer()
  }
  if (living.asked <= (living.behaviour.readyAfter ?? 0)) {
    return { status: 503, body: 'not ready', durationMs: 0 }
  }
  return { ...(living.behaviour.answer?.(probe) ?? { status: 200, body: 'ok' }), durationMs: 0 }
}

function passOne(living: LivingSlot): void {
  living.asked += 1
  if (living.state === 'running' && living.asked > (living.behaviour.exitsAfter ?? Number.POSITIVE_INFINITY)) {
    living.state = 'crashed'
  }
}

function noAnswer(): ProbeAnswer {
  return { status: undefined, body: '', error: 'ECONNREFUSED: connection refused', durationMs: 0 }
}

function sameProgram(one: SlotSpec, other: SlotSpec): boolean {
  return (
    one.artifact === other.artifact &&
    one.config === other.config &&
    one.start === other.start &&
    one.cwd === other.cwd &&
    one.environmentFile === other.environmentFile &&
    one.port === other.port &&
    one.restart === other.restart
  )
}

function keyOf(root: string, { service, slot }: SlotRef): string {
  return `${root} ${service}.${slot}`
}

function isSlot(one: SlotRef, other: SlotRef): boolean {
  return one.service === other.service && one.slot === other.slot
}

function absent({ service, slot }: SlotRef): SlotReport {
  return { service, slot, state: 'absent', restarts: 0 }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
    }
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
