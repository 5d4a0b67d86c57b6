/**
 * Named places at which a test may end or hold the process. Every step has two, `<step>:before` and `<step>:after`:
 * its body has not begun; its body has returned and its result is not yet recorded.
 */
export interface FaultPoints {
  reach(point: string): Promise<void>
}

export const NO_FAULTS: FaultPoints = { reach: () => Promise.resolve() }

/**
 * Kills this process, as a power cut would, at the first point that fits the pattern: a point's name, in which `*`
 * stands for any characters; `#3` at the end means the third such point.
 */
export function dieAt(pattern: string): FaultPoints {
  const reached = countdown(pattern)
  return {
    reach(point) {
      if (!reached(point)) return Promise.resolve()
      process.kill(process.pid, 'SIGKILL')
      return new Promise(() => undefined)
    },
  }
}

/** True once: for the n-th point that fits `pattern#n`. */
export function countdown(pattern: string): (point: string) => boolean {
  const [, names = pattern, count = '1'] = /^(.*?)(?:#(\d+))?$/.exec(pattern) ?? []
  const fits = new RegExp(
    `^${names
      .split('*')
      .map((part) => RegExp.escape(part))
      .join('.*')}$`,
  )
  let left = Number(count)
  return (point) => fits.test(point) && --left === 0
}
