import { join } from 'node:path'
import { bootstrapHost, planFor } from './bootstrap-host.ts'
import type { HostAccess } from './host-login.ts'
import type { HostOperations } from './host-operations.ts'
import { supplyStore } from './host-supplies.ts'
import { reportOn } from './look-at-hosts.ts'

export function makeHostOperations(access: HostAccess): HostOperations {
  const parts = { access, supplies: supplyStore(access.local, join(access.folder, 'supplies')) }
  return {
    look: (host, options) => reportOn(parts, host, options),
    plan: (order) => planFor(parts, order),
    bootstrap: (order, signal) => bootstrapHost(parts, order, signal),
  }
}
