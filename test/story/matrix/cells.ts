import { countdown } from '../../../src/journal/faults.ts'

export const FAULTS = ['kill', 'power', 'network', 'race', 'clock'] as const
export type Fault = (typeof FAULTS)[number]

/** One fault at one moment of a release on so many hosts. */
export interface Cell {
  readonly hosts: number
  readonly fault: Fault
  /** What happens besides, such as which clock jumps how far. */
  readonly how?: string
  /** A fault point of the release, of those in `Path`. */
  readonly point: string
  readonly path: 'kept' | 'undone'
}

/** The fault points that a release comes to, in order: one that is kept, and the way back of one that is not. */
export interface Paths {
  readonly kept: readonly string[]
  readonly undone: readonly string[]
}

/** What two trial releases came to. A point that is passed again has its number: `swap:held#2`. */
export function pathsOf(kept: readonly string[], undone: readonly string[]): Paths {
  const numbered = withNumbers(undone)
  return { kept: withNumbers(kept), undone: numbered.slice(numbered.indexOf('release.cause:before')) }
}

/** Every cell of these faults for hosts on which a release comes to these points. */
export function cellsOf(hosts: number, faults: readonly Fault[], paths: Paths): Cell[] {
  return faults.flatMap((fault) => OF[fault](paths).map((cell) => ({ hosts, fault, ...cell })))
}

type Bare = Omit<Cell, 'hosts' | 'fault'>

const OF: Readonly<Record<Fault, (paths: Paths) => Bare[]>> = {
  // Every point there is.
  kill: everyPoint,
  // In the midst of every step, and between its parts: a step's end is the beginning of the next.
  power: (paths) => everyPoint(paths).filter(({ point }) => !point.endsWith(':after')),
  network: (paths) => everyPoint(paths).filter(({ point }) => !point.endsWith(':after')),
  race: (paths) => [
    { how: 'two deploys at once', point: 'release.begin:before', path: 'kept' },
    ...everyPoint(paths)
      .filter(({ point }) => matchesAny(point, PAUSES))
      .map((cell) => ({ how: 'paused beyond its lease', ...cell })),
  ],
  clock: (paths) => [
    ...everyPoint(paths)
      .filter(({ point }) => matchesAny(point, JUMPS))
      .flatMap((cell) => CLOCKS.flatMap((clock) => BY.map((by) => ({ how: `${clock} ${by}`, ...cell })))),
    // A release that its traffic speaks against must be seen through by a clock that is not the hosts'.
    ...BY.map((by): Bare => ({ how: `${CLOCKS[0]} ${by}, a bad release`, point: 'story.gate:after', path: 'undone' })),
  ],
}

/** Where a paused control plane has most to do when it wakes. */
const PAUSES = [
  'story.gate:after',
  'stage:*.lay:before',
  'start:*.ready:before',
  'story.switch:before',
  'swap:*',
  'switch:*',
  'story.keep:before',
  'keep:alone',
  'sweep.sweep:before',
  'undo.undo:before',
  'undo:back',
]
/** Where something is timed, waited for, or compared with a time of before. */
const JUMPS = [
  'story.gate:after',
  'swap:held',
  'switch:renamed',
  'story.verify:before',
  'story.keep:before',
  'after-warm.sweep:before',
]
export const CLOCKS = ["Drover's clock", "the database's clock"] as const
export const BY = ['+1 h', '-1 h', '+13 d', '-13 d'] as const

function everyPoint({ kept, undone }: Paths): Bare[] {
  return [
    ...kept.map((point): Bare => ({ point, path: 'kept' })),
    ...undone.map((point): Bare => ({ point, path: 'undone' })),
  ]
}

function matchesAny(point: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => countdown(pattern)(point.replace(/#\d+$/, '')))
}

function withNumbers(points: readonly string[]): string[] {
  const seen = new Map<string, number>()
  return points.map((point) => {
    const count = (seen.get(point) ?? 0) + 1
    seen.set(point, count)
    return count === 1 ? point : `${point}#${count}`
  })
}

/** The host that a fault is to hit: the one that the point names, and else each in its turn. */
export function hostOf({ point }: Cell, turn: number, names: readonly string[]): string {
  const named = names.find((name) => point.split(/[:.]/).includes(name))
  return named ?? names[turn % names.length]!
}
