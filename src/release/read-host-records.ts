import { z } from 'zod'
import { refusal } from '../problem/problem.ts'
import type { Host } from '../hosts/host.ts'
import { layout } from '../hosts/layout.ts'
import type { HostRecord } from './host-record.ts'

const duration = z.number()
const slotPorts = z.tuple([z.number(), z.number()]).readonly()

const hostRecord = z.object({
  format: z.literal(1),
  fleet: z.string(),
  environment: z.string(),
  number: z.number(),
  commit: z.string().exactOptional(),
  runtime: z.string(),
  router: z.string(),
  services: z.record(
    z.string(),
    z.object({
      artifact: z.object({
        service: z.string(),
        id: z.string(),
        start: z.string(),
        cwd: z.string(),
        environment: z.record(z.string(), z.string()),
      }),
      definition: z.object({
        port: z.number().exactOptional(),
        slotPorts: slotPorts.exactOptional(),
        drainMs: duration,
        limits: z
          .object({ memoryBytes: z.number().exactOptional(), cpuPercent: z.number().exactOptional() })
          .exactOptional(),
        ready: z.object({ path: z.string(), timeoutMs: duration, steadyMs: duration }),
        needs: z.array(z.string()).readonly(),
      }),
      config: z.string(),
      release: z.number(),
      once: z.boolean(),
    }),
  ),
  choices: z.record(z.string(), z.object({ slot: z.enum(['a', 'b']), shielded: z.boolean().exactOptional() })),
  routes: z
    .array(
      z.union([
        z.object({
          service: z.string(),
          port: z.number(),
          listen: z.array(z.string()).readonly().exactOptional(),
          slotPorts,
        }),
        z.object({
          service: z.string(),
          port: z.number(),
          listen: z.array(z.string()).readonly().exactOptional(),
          peers: z.array(z.object({ host: z.string(), address: z.string(), port: z.number() })).readonly(),
        }),
      ]),
    )
    .readonly(),
}) satisfies z.ZodType<HostRecord>

const PRINT =
  'cd -- "$1" 2>/dev/null || exit 0; for file in *.json; do [ -f "$file" ] && tr -d "\\n" <"$file" && echo; done'

/** What a host knows of the releases that were kept on it, oldest first. A record that cannot be read is left out. */
export async function readHostRecords(host: Host, root: string): Promise<HostRecord[]> {
  const command = { program: 'sh', argv: ['-c', PRINT, 'sh', layout(root).releases], summary: 'read the releases' }
  const { ok, stdout, stderr, failure } = await host.run(command, { maxOutputBytes: 16 * 1024 * 1024 })
  if (!ok) {
    const what = `what was released there cannot be read (${failure}): ${stderr.trim()}`
    throw refusal('release/host-records', `host ${host.name}`, what)
  }
  return stdout
    .split('\n')
    .flatMap((line) => readRecord(line) ?? [])
    .sort((a, b) => a.number - b.number)
}

function readRecord(line: string): HostRecord | undefined {
  try {
    return hostRecord.parse(JSON.parse(line))
  } catch {
    return undefined
  }
}
