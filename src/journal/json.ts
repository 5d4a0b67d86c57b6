/** The form in which the journal keeps values: plain JSON, wrapped so that a bare `undefined` survives as well. */
export function encode(value: unknown): string {
  return JSON.stringify({ v: value })
}

/** What a record holds is what the same workflow wrote; the type is the writer's promise. */
export function decode(text: string | null | undefined): unknown {
  if (text === null || text === undefined) return undefined
  const parsed: unknown = JSON.parse(text)
  return typeof parsed === 'object' && parsed !== null && 'v' in parsed ? parsed.v : undefined
}
