/** A piece of TypeScript source that is neither white space nor comment. */
export interface Token {
  /** `word` is an identifier, keyword or number; `string` a quoted text; `opaque` a regular expression or template text. */
  readonly kind: 'word' | 'string' | 'mark' | 'opaque'
  /** As written; of a string what stands between the quotes. */
  readonly text: string
  /** From 1. */
  readonly line: number
}

const BLANK = /(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)+/y
const WORD = /#?[\p{ID_Start}$_\d][\p{ID_Continue}$\u200c\u200d]*/uy
const STRING = /'((?:[^'\\\n]|\\[^])*)'|"((?:[^"\\\n]|\\[^])*)"/y
const REGEX = /\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y
const TEMPLATE_TEXT = /(?:[^`\\$]|\\[^]|\$(?!\{))*/y

/** Words after which a slash begins a regular expression, though after other words it divides. */
const BEFORE_REGEX = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'do',
  'else',
  'void',
  'delete',
  'throw',
  'new',
  'await',
  'yield',
])

/**
 * Cuts source into tokens, so that the rules are not fooled by what stands in comments, strings, templates and
 * regular expressions. Code inside `${…}` of a template is cut like any other. It needs no compiler: type annotations
 * are tokens too, and nothing here depends on where they end.
 */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = []
  /** One entry for every open template expression: how many braces are open inside it. */
  const templates: number[] = []
  let at = source.startsWith('#!') ? source.indexOf('\n') : 0
  let line = 1

  function take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = at
    const match = pattern.exec(source) ?? undefined
    if (match !== undefined) at += match[0].length
    return match
  }

  function push(kind: Token['kind'], text: string, raw: string): void {
    tokens.push({ kind, text, line })
    line += countLines(raw)
  }

  /** Reads on to the end of the template or to its next `${`. */
  function template(): void {
    const text = take(TEMPLATE_TEXT)?.[0] ?? ''
    push('opaque', text, text)
    if (source.startsWith('${', at)) templates.push(0)
    at += source[at] === '`' ? 1 : 2
  }

  function mark(character: string): void {
    const open = templates.length - 1
    at += 1
    if (character === '`') return template()
    if (open >= 0 && character === '{') templates[open]! += 1
    if (open >= 0 && character === '}' && templates[open] === 0) {
      templates.pop()
      return template()
    }
    if (open >= 0 && character === '}') templates[open]! -= 1
    push('mark', character, character)
  }

  while (at < source.length) {
    const blank = take(BLANK)
    if (blank !== undefined) {
      line += countLines(blank[0])
      continue
    }
    const string = take(STRING)
    if (string !== undefined) {
      push('string', string[1] ?? string[2] ?? '', string[0])
      continue
    }
    const word = take(WORD)
    const other = word ?? (source[at] === '/' && regexMayStand(tokens) ? take(REGEX) : undefined)
    if (other !== undefined) push(word === undefined ? 'opaque' : 'word', other[0], other[0])
    else mark(source[at]!)
  }
  return tokens
}

/** A slash after a value divides; anywhere else it begins a regular expression. */
function regexMayStand(tokens: readonly Token[]): boolean {
  const last = tokens.at(-1)
  if (last === undefined) return true
  if (last.kind === 'word') return BEFORE_REGEX.has(last.text)
  if (last.kind !== 'mark') return false
  // `x! / y`: the exclamation mark of a value that is known to be there.
  if (last.text === '!') return !isValueEnd(tokens.at(-2))
  return !isValueEnd(last)
}

function isValueEnd(token: Token | undefined): boolean {
  if (token?.kind === 'word') return !BEFORE_REGEX.has(token.text)
  return token?.kind === 'mark' && [')', ']', '}'].includes(token.text)
}

function countLines(text: string): number {
  let lines = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines++
  return lines
}
