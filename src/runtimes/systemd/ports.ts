import { asRoot } from '../../hosts/drover-host/drover-host.ts'
import type { Host } from '../../hosts/host.ts'
import { Refusal, problem } from '../../problem/problem.ts'
import type { SlotSpec } from '../runtime.ts'
import { sameSlot, slotName } from '../slot-refs.ts'
import type { Survey } from './survey.ts'
import { isAlive } from './unit-state.ts'

/** For each request its ports that somebody else listens on, all of them at once, or undefined. */
export async function takenPorts(
  host: Host,
  requests: readonly (readonly SlotSpec[])[],
  found: Survey,
): Promise<readonly (Refusal | undefined)[]> {
  const taken = requests.map((request) => request.filter((spec) => isTaken(spec, found)))
  const ports = new Set(taken.flat().map((spec) => spec.port ?? 0))
  if (ports.size === 0) return requests.map(() => undefined)
  const holders = await whoListens(host, [...ports])
  return taken.map((specs) =>
    specs.length === 0
      ? undefined
      : new Refusal(
          specs.map((spec) =>
            problem(
              'runtimes/port-taken',
              `host ${host.name}, ${slotName(spec)}`,
              `port ${spec.port} is taken${by(holders.get(spec.port ?? 0))}`,
              'End that process, or give the service another port in drover.yaml.',
            ),
          ),
        ),
  )
}

/** Whose a listener is only root sees; a slot that runs with this port has it itself. */
function isTaken(spec: SlotSpec, { slots, listening }: Survey): boolean {
  if (spec.port === undefined || !listening.includes(spec.port)) return false
  const own = slots.find((slot) => sameSlot(slot, spec))
  return own === undefined || !isAlive(own.unit) || own.spec?.port !== spec.port
}

async function whoListens(host: Host, ports: readonly number[]): Promise<ReadonlyMap<number, string>> {
  const { stdout } = await host.run(asRoot(['listeners', ...ports.map(String)]))
  const holders = new Map<number, string>()
  for (const line of stdout.split('\n')) {
    const [port, pid, program, unit = '-'] = line.split(' ')
    if (program !== undefined) holders.set(Number(port), `${program} (pid ${pid}${unit === '-' ? '' : `, ${unit}`})`)
  }
  return holders
}

function by(holder: string | undefined): string {
  return holder === undefined ? '' : ` by ${holder}`
}
