/**
 * Traffic by itself: `node demo/traffic-main.ts [--rate 200] [--seconds 20] [--offset 0] [--seed 1]`. Ends with a table; exit code 1 when a
 * request failed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { pakashopTargets } from './pakashop-traffic.ts'
import { startTraffic } from './traffic.ts'
import type { Counts } from './traffic-record.ts'

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '20' },
    offset: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
})
const targets = pakashopTargets({ host: '127.0.0.1', portOffset: Number(values.offset), run: `run-${Date.now()}` })
const traffic = startTraffic({ targets, requestsPerSecond: Number(values.rate), seed: Number(values.seed) })
await Promise.race([sleep(Number(values.seconds) * 1000), new Promise((resolve) => process.once('SIGINT', resolve))])
await traffic.stop()
const report = traffic.report()
const rows: [string, Counts][] = [...Object.entries(report.services), ['all', report]]
for (const [name, counts] of rows) process.stdout.write(`${line(name, counts)}\n`)
const { user, system } = process.cpuUsage()
process.stdout.write(`seed ${values.seed}, ${((user + system) / 1e6).toFixed(1)} s of CPU for the traffic itself\n`)
process.exitCode = report.failed === 0 ? 0 : 1

function line(name: string, { sent, failed, reasons, p50Ms, p99Ms }: Counts): string {
  const why = Object.entries(reasons).map(([reason, n]) => `${n} × ${reason}`)
  const times = `p50 ${p50Ms.toFixed(1)} ms  p99 ${p99Ms.toFixed(1)} ms`
  return `${name.padEnd(16)} ${String(sent).padStart(7)} sent ${String(failed).padStart(5)} failed  ${times}  ${why.join(', ')}`
}
