const WHEEL = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const

/** Turns one step with each tick: something is at work. */
export function wheel(tick: number): string {
  return WHEEL[tick % WHEEL.length]!
}
