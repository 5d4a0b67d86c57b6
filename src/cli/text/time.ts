/** `0.4 s`, `12.3 s`, `2:05`, `1:02:03`: as exact as anybody wants to know. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`
  return clock(ms)
}

/** `0:14`, `2:05`, `1:02:03`. */
export function clock(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000)
  const two = (value: number): string => String(value).padStart(2, '0')
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** `8 s`, `5 min`, `3 h`, `12 d`: how long ago. */
export function age(ms: number): string {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 90) return `${Math.floor(seconds)} s`
  if (seconds < 90 * 60) return `${Math.floor(seconds / 60)} min`
  if (seconds < 36 * 3600) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

/** `2026-11-22 03:05`, in the machine's time zone. */
export function moment(at: number): string {
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`
}

/** `4,211`. */
export function number(value: number): string {
  return value.toLocaleString('en-US')
}

/** `1 service`, `2 services`. */
export function counted(count: number, thing: string): string {
  return `${number(count)} ${thing}${count === 1 ? '' : 's'}`
}
