import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Operation } from '../../hosts/operation.ts'
import type { SlotRef } from '../runtime.ts'
import { renderEcosystem } from './ecosystem.ts'
import { pm2Environment, pm2Home } from './home.ts'
import { scriptArgv } from './scripts.ts'
import { slotFiles } from './slot-files.ts'

/** The environment's folder on the host and the PM2 program there. */
export interface Pm2Place {
  readonly root: string
  readonly program: string
}

type Slots = readonly (SlotRef & { readonly drainMs: number })[]

/** One thing that PM2 is to do, processes that have to end before the next, or a file that has to go. */
export type Pm2Call =
  | { readonly verb: 'start' | 'delete'; readonly slots: Slots }
  | { readonly verb: 'end'; readonly slots: Slots }
  | { readonly verb: 'remove'; readonly path: string }

/**
 * Operations that have all of it done with one call, with files that tell PM2 of the slots. `start` and `delete` of a
 * slot that PM2 does not know are fine.
 */
export function pm2Calls(place: Pm2Place, calls: readonly Pm2Call[]): readonly Operation[] {
  const files = new Map<string, string>()
  const words = calls.flatMap((call) => {
    if (call.verb === 'remove') return [call.verb, call.path]
    if (call.verb === 'end') return [call.verb, JSON.stringify(endingArgv(place.root, call.slots))]
    const content = renderEcosystem(place.root, call.slots)
    // Named by content: calls of other slots at the same time have files of their own.
    const name = `slots-${createHash('sha256').update(content).digest('hex').slice(0, 16)}.json`
    const path = join(pm2Home(place.root).folder, name)
    files.set(path, content)
    return [call.verb, path]
  })
  const script = readFileSync(new URL('call.cjs', import.meta.url), 'utf8')
  return [
    ...homeOperations(place.root),
    ...[...files].map(([path, content]): Operation => ({ kind: 'write', path, content, volatile: true })),
    alone(place, ['node', '-e', script, place.program, ...words]),
    ...[...files.keys()].map((path): Operation => ({ kind: 'remove', path })),
  ]
}

/** The argument list of `sh` that marks slots as stopped and ends their processes. */
export function endingArgv(root: string, slots: Slots): readonly string[] {
  const pairs = slots.flatMap((slot) => [slotFiles(root, slot).folder, String(Math.max(0, Math.round(slot.drainMs)))])
  return scriptArgv('stop', pairs)
}

/** PM2's home, readable by nobody else: whoever reaches its sockets can start programs. */
export function homeOperations(root: string): readonly Operation[] {
  const home = pm2Home(root)
  return [
    { kind: 'folder', path: home.folder, mode: 0o700 },
    ...(home.folder === home.link ? [] : [{ kind: 'link', path: home.link, target: home.folder } as const]),
    // Without it the daemon measures the whole machine every 30 s.
    {
      kind: 'write',
      path: join(home.folder, 'module_conf.json'),
      content: '{"pm2":{"sysmonit":"false"}}\n',
      volatile: true,
    },
  ]
}

/** Starts the daemon where none runs. */
export function pm2Ping(place: Pm2Place): Operation {
  return alone(place, [place.program, '-s', 'ping'])
}

/**
 * One call of PM2, alone on its home: two calls that find no daemon at the same time would both start one. `flock -o`
 * closes the lock before PM2 runs, so that the daemon does not keep it.
 */
function alone(place: Pm2Place, command: readonly string[]): Operation {
  const home = pm2Home(place.root)
  return {
    kind: 'run',
    program: 'flock',
    argv: ['-o', join(home.folder, 'lock'), ...command],
    cwd: home.folder,
    env: pm2Environment(home),
    daemonizes: true,
  }
}
