/** What systemd says of a unit. */
export interface UnitState {
  readonly active: string
  readonly sub: string
  /** 0: no main process. */
  readonly pid: number
  /** The command that it runs, as it is now; undefined where there is none. */
  readonly command?: string
  /** How often systemd started it again by itself since it was started. */
  readonly restarts: number
  /** Milliseconds since the epoch. */
  readonly startedAt?: number
  readonly memoryBytes?: number
  readonly cpuMs?: number
  /** The file that it was read from; empty where there is none. */
  readonly fragment: string
  /** Files that override parts of it. */
  readonly dropIns: readonly string[]
  /** A file of it has changed since systemd read it. */
  readonly unread: boolean
}

/** A unit that systemd has nothing to say of. */
export const NO_UNIT: UnitState = {
  active: 'inactive',
  sub: 'dead',
  pid: 0,
  restarts: 0,
  fragment: '',
  dropIns: [],
  unread: false,
}

/** The blocks of `systemctl show` among other lines, by the unit's name. */
export function readUnits(lines: readonly string[]): ReadonlyMap<string, UnitState> {
  const units = new Map<string, UnitState>()
  let block = new Map<string, string>()
  for (const line of [...lines, '']) {
    const equals = line.indexOf('=')
    if (equals > 0) block.set(line.slice(0, equals), line.slice(equals + 1))
    else {
      const id = block.get('Id')
      if (id !== undefined) units.set(id, stateOf(block))
      block = new Map()
    }
  }
  return units
}

/** Something of the unit runs, if only to end. Between a crash and the next start nothing does. */
export function isAlive({ active, sub }: UnitState): boolean {
  return active === 'active' || active === 'reloading' || active === 'deactivating' || sub.startsWith('start')
}

function stateOf(block: ReadonlyMap<string, string>): UnitState {
  const startedAt = readTime(block.get('ExecMainStartTimestamp'))
  const command = / argv\[\]=(.*?) ; /.exec(block.get('ExecStart') ?? '')?.[1]
  const memoryBytes = readNumber(block.get('MemoryCurrent'))
  const cpuNs = readNumber(block.get('CPUUsageNSec'))
  return {
    active: block.get('ActiveState') ?? 'inactive',
    sub: block.get('SubState') ?? 'dead',
    pid: readNumber(block.get('MainPID')) ?? 0,
    ...(command === undefined ? {} : { command }),
    restarts: readNumber(block.get('NRestarts')) ?? 0,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpuNs === undefined ? {} : { cpuMs: Math.round(cpuNs / 1e6) }),
    fragment: block.get('FragmentPath') ?? '',
    dropIns: (block.get('DropInPaths') ?? '').split(' ').filter((path) => path !== ''),
    unread: block.get('NeedDaemonReload') === 'yes',
  }
}

/** What is not known is `[not set]`, or, by older versions, the largest number there is. */
function readNumber(text = ''): number | undefined {
  return /^\d{1,18}$/.test(text) ? Number(text) : undefined
}

/** `Sun 2026-11-22 09:32:46.123456 UTC`. */
function readTime(text = ''): number | undefined {
  const [, date, time, fraction = '0'] = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{3})\d*)? UTC/.exec(text) ?? []
  return date === undefined ? undefined : Date.parse(`${date}T${time}.${fraction.padEnd(3, '0')}Z`)
}
