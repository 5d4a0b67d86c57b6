/** In the order in which they are tried at each place; an unfinished one reaches to the end, as the server cuts long queries. */
const PARTS = new RegExp(
  [
    String.raw`(--[^\n]*|/\*[^]*?(?:\*/|$)|\s+)`,
    String.raw`([eE]'(?:[^'\\]|\\[^]|'')*(?:'|\\?$)|(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|$)|\$([A-Za-z_]\w*)?\$[^]*?(?:\$\3\$|$))`,
    String.raw`"(?:[^"]|"")*(?:"|$)`,
    String.raw`\$\d+`,
    String.raw`[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*`,
    String.raw`(\.?\d(?:[\w.]|(?<=[eE])[+-])*)`,
  ].join('|'),
  'g',
)

/** A query that can be shown to anybody: every string, number and comment is gone, names and keywords stay. */
export function withoutLiterals(query: string): string {
  return query.replace(PARTS, shown).replaceAll(/ {2,}/g, ' ').trim()
}

function shown(part: string, blank?: string, value?: string, _tag?: string, number?: string): string {
  if (blank !== undefined) return ' '
  return value === undefined && number === undefined ? part : '?'
}
