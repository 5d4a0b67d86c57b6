/** The form in which the journal keeps values: plain JSON, wrapped so that a bare `undefined` survives as well. */
export function encode(value: unknown): string {
  return JSON.stringify({ v: value })
}

/** The reader names the type: a record is read only by the code that wrote it, or by a version of it (rule E8). */
export function decode(text: string) {
  const { v } = JSON.parse(text)
  return v
}
