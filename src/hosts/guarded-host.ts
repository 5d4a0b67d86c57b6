import type { Host } from './host.ts'

/** A host that may be used once `permit` has said so, which is asked before the first use and after each refusal. */
export function guardedHost(host: Host, permit: () => Promise<void>): Host {
  let permitted: Promise<void> | undefined
  function allow(): Promise<void> {
    if (permitted !== undefined) return permitted
    const asked = permit()
    permitted = asked
    asked.catch(() => {
      permitted = undefined
    })
    return asked
  }
  return {
    name: host.name,
    run: (command, options) => allow().then(() => host.run(command, options)),
    probe: (probes, signal) => allow().then(() => host.probe(probes, signal)),
    upload: (folder, target, options) => allow().then(() => host.upload(folder, target, options)),
    uploadAll: (parcels, options) => allow().then(() => host.uploadAll(parcels, options)),
    follow: (files, options) => allow().then(() => host.follow(files, options)),
    close: () => host.close(),
  }
}
