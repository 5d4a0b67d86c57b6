import type { Host } from '../host.ts'
import { followLocally } from './follow.ts'
import { probeLocally } from './probe.ts'
import { runLocally } from './run.ts'
import type { Spawner } from './spawner.ts'
import { uploadLocally } from './upload.ts'

export interface LocalHostOptions {
  readonly name?: string
  /** Runs the commands, for a process that holds much memory. Absent: this process does. */
  readonly spawner?: Spawner
}

/** This machine as a host. Needs nothing but a POSIX userland; keeps no state, so that any number may exist. */
export function localHost({ name = 'local', spawner }: LocalHostOptions = {}): Host {
  const run = spawner?.run ?? runLocally
  return {
    name,
    run,
    probe: (probes, signal) => Promise.all(probes.map((probe) => probeLocally(probe, signal))),
    upload: (folder, target, options) => uploadLocally(run, { folder, target }, options),
    uploadAll: (parcels, options) => Promise.all(parcels.map((parcel) => uploadLocally(run, parcel, options))),
    follow: followLocally,
    close: async () => {
      await spawner?.close()
    },
  }
}
