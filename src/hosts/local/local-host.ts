import type { Host } from '../host.ts'
import { followLocally } from './follow.ts'
import { probeLocally } from './probe.ts'
import { runLocally } from './run.ts'
import { uploadLocally } from './upload.ts'

/** This machine as a host. Needs nothing but a POSIX userland; keeps no state, so that any number may exist. */
export function localHost(options: { readonly name?: string } = {}): Host {
  return {
    name: options.name ?? 'local',
    run: runLocally,
    probe: (probes, signal) => Promise.all(probes.map((probe) => probeLocally(probe, signal))),
    upload: (folder, target, { signal } = {}) => uploadLocally(runLocally, { folder, target }, signal),
    follow: followLocally,
    close: async () => {},
  }
}
