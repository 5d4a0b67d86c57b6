import { runs } from '../hosts/bootstrap/needs-of.ts'
import type { Supplies } from '../hosts/bootstrap/needs-of.ts'
import { ownNode } from '../hosts/bootstrap/own-node.ts'
import type { NodeProgram } from '../hosts/bootstrap/node-program.ts'
import { HELPER_TEXT, HELPER_VERSION } from '../hosts/drover-host/drover-host.ts'
import type { Host } from '../hosts/host.ts'
import type { DeclaredHost } from '../manifest/declared-hosts.ts'

/** What this Drover brings to hosts. */
export interface SupplyStore {
  for(host: DeclaredHost): Promise<Omit<Supplies, 'user' | 'access'>>
}

/** Found out once, and only where a host needs it: a digest of Node takes a third of a second. */
export function supplyStore(local: Host, folder: string): SupplyStore {
  let node: Promise<NodeProgram> | undefined
  let python: Promise<string | undefined> | undefined
  const helper = { text: HELPER_TEXT, version: HELPER_VERSION }
  return {
    async for(host) {
      if (runs(host, 'node')) node ??= ownNode(folder)
      if (runs(host, 'python')) python ??= pythonVersion(local)
      const [program, version] = [await node, await python]
      return {
        helper,
        ...(program === undefined ? {} : { node: program }),
        ...(version === undefined ? {} : { pythonVersion: version }),
      }
    },
  }
}

async function pythonVersion(local: Host): Promise<string | undefined> {
  const script = 'import sys; print("%d.%d" % sys.version_info[:2])'
  const { ok, stdout } = await local.run({ program: 'python3', argv: ['-I', '-c', script] })
  return ok ? stdout.trim() : undefined
}
