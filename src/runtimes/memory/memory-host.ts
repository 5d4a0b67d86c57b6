import type { Host } from '../../hosts/host.ts'
import { printingHost } from '../../hosts/printing/printing-host.ts'
import type { PrintingHost } from '../../hosts/printing/printing-host.ts'
import type { MemoryRuntime } from './memory-runtime.ts'

/** A host that writes nothing and whose probes are answered by the slots of a memory runtime. */
export function memoryHost(runtime: MemoryRuntime, options: { readonly name?: string } = {}): PrintingHost {
  const host: PrintingHost = { ...printingHost({ name: options.name ?? 'memory' }), probe: answer }

  async function answer(probes: Parameters<Host['probe']>[0]): ReturnType<Host['probe']> {
    return probes.map((probe) => runtime.answer(host, probe))
  }

  return host
}
