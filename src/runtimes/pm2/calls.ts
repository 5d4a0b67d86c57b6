import { createHash } from 'node:crypto'
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

/**
 * Operations that call PM2's command line once for many slots, with a file that names them. `start` and `delete` of a
 * slot that PM2 does not know are fine.
 */
export function pm2Call(place: Pm2Place, verb: 'start' | 'delete', slots: Slots): readonly Operation[] {
  const content = renderEcosystem(place.root, slots)
  // Named by content: calls of other slots at the same time have files of their own.
  const name = `${verb}-${createHash('sha256').update(content).digest('hex').slice(0, 16)}.json`
  const path = join(pm2Home(place.root).folder, name)
  return [
    ...homeOperations(place.root),
    { kind: 'write', path, content, volatile: true },
    pm2Command(place, [verb, path]),
    { kind: 'remove', path },
  ]
}

/** The argument list of `sh` that marks slots as stopped and ends their processes. */
export function endingArgv(root: string, slots: Slots): readonly string[] {
  return scriptArgv('stop', ['for-good', ...drains(root, slots)])
}

/** The same for processes that run now, without the mark: PM2 starts the slots again by itself, with what lies there. */
export function replacingArgv(root: string, slots: Slots): readonly string[] {
  return scriptArgv('stop', ['replace', ...drains(root, slots)])
}

function drains(root: string, slots: Slots): readonly string[] {
  return slots.flatMap((slot) => [slotFiles(root, slot).folder, String(Math.max(0, Math.round(slot.drainMs)))])
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

/**
 * One call of PM2, alone on its home: two calls that find no daemon at the same time would both start one. `flock -o`
 * closes the lock before PM2 runs, so that the daemon does not keep it.
 */
export function pm2Command(place: Pm2Place, argv: readonly string[]): Operation {
  const home = pm2Home(place.root)
  return {
    kind: 'run',
    program: 'flock',
    argv: ['-o', join(home.folder, 'lock'), place.program, '-s', ...argv],
    cwd: home.folder,
    env: pm2Environment(home),
    daemonizes: true,
  }
}
