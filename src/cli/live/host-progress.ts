import type { BootstrapEvent } from '../../release/host-operations.ts'
import type { Cli } from '../cli.ts'
import { clock, duration } from '../text/time.ts'
import { padEnd } from '../text/width.ts'
import { wheel } from './wheel.ts'

/** Where it is shown how hosts are made ready. */
export interface HostProgress {
  event(host: string, event: BootstrapEvent): void
  /** Nothing more comes of this host. */
  over(host: string): void
  close(): void
}

export async function openProgress(cli: Cli, hosts: readonly string[]): Promise<HostProgress> {
  if (cli.json) {
    return { event: (host, event) => cli.document({ event: { host, ...event } }), over: () => {}, close: () => {} }
  }
  const names = Math.max(...hosts.map((host) => host.length), 0)
  const unchanged = new Set<string>()
  const print = (host: string, event: BootstrapEvent): void => {
    if (event.kind === 'plan' && event.plan.items.every(({ sign }) => sign === 'same')) unchanged.add(host)
    if (cli.quiet || event.kind !== 'done' || unchanged.has(host)) return
    cli.print(`${cli.paint.green('✓')} ${padEnd(host, names)}  ${padEnd(event.item, ITEM)}  ${duration(event.ms)}`)
  }
  return cli.stdout.isTTY === true && !cli.quiet && cli.env['TERM'] !== 'dumb'
    ? inTerminal(cli, names, print)
    : { event: print, over: () => {}, close: () => {} }
}

const FRAME_MS = 100
/** As wide as the longest name of an item. */
const ITEM = 8

/** A line for each host that is at work, below those of what is done. */
async function inTerminal(
  cli: Cli,
  names: number,
  print: (host: string, event: BootstrapEvent) => void,
): Promise<HostProgress> {
  const { createLogUpdate } = await import('log-update')
  const update = createLogUpdate(cli.stdout)
  const working = new Map<string, { readonly item: string; readonly since: number }>()
  let tick = 0
  const draw = (): void => {
    const lines = [...working].map(
      ([host, { item, since }]) =>
        `${cli.paint.cyan(wheel(tick))} ${padEnd(host, names)}  ${padEnd(item, ITEM)}  ${clock(Date.now() - since)}`,
    )
    update(lines.join('\n'))
  }
  const timer = setInterval(() => {
    tick++
    draw()
  }, FRAME_MS)
  let open = true
  return {
    event: (host, event) => {
      if (event.kind === 'begin') working.set(host, { item: event.item, since: Date.now() })
      if (event.kind === 'done' || event.kind === 'ended') working.delete(host)
      update.clear()
      print(host, event)
      draw()
    },
    over: (host) => {
      working.delete(host)
      draw()
    },
    close: () => {
      if (!open) return
      open = false
      clearInterval(timer)
      update.clear()
      update.done()
    },
  }
}
