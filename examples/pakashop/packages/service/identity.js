import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Who this process is: what `/version` answers. `folder` is the service's own, `services/<name>`. */
export function identify(folder) {
  return {
    service: basename(folder),
    version: readFileSync(join(folder, 'VERSION'), 'utf8').trim(),
    release: process.env.DROVER_RELEASE ?? null,
    slot: process.env.DROVER_SLOT ?? null,
    pid: process.pid,
  }
}

/** The faults of `behaviour.json`, for demonstrations and tests; see the README of the example. */
export function readBehaviour(folder) {
  return JSON.parse(readFileSync(join(folder, 'behaviour.json'), 'utf8'))
}
