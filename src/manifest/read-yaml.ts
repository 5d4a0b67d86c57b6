import { Composer, Lexer, LineCounter, Parser } from 'yaml'
import type { CST, Document, YAMLError } from 'yaml'
import { problem } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { placeAt } from './source.ts'
import type { Source } from './source.ts'

/** Far above what a fleet of 2,000 services needs; what is larger is a mistake or an attack. */
const MOST_CHARACTERS = 1024 * 1024
const MOST_LEXEMES = 200_000
const DEEPEST = 50
const MOST_SYNTAX_PROBLEMS = 20

/** A syntactically sound document, or what is wrong with the text. */
export type ReadResult =
  | { readonly document: Document; readonly lines: LineCounter; readonly problems: readonly [] }
  | { readonly document?: undefined; readonly problems: readonly Problem[] }

type Text = Pick<Source, 'file' | 'lines'>

/**
 * Reads one YAML 1.2 document. Never throws, whatever the text: size, number of tokens and depth are measured on the
 * token tree, which the library builds without recursion, before the library's recursive composer sees it.
 */
export function readYaml(text: string, file: string): ReadResult {
  const lines = new LineCounter()
  lines.addNewLine(0)
  const source = { file, lines }
  const unreadable = checkCharacters(text, source)
  if (unreadable !== undefined) return { problems: [unreadable] }

  const { tokens, problems } = tokenize(text.replace(/^\uFEFF/, ''), source)
  if (problems.length > 0) return { problems }
  return compose(tokens, source)
}

function checkCharacters(text: string, source: Text): Problem | undefined {
  if (text.length > MOST_CHARACTERS) {
    return problem('manifest/too-large', placeAt(source, 0), 'is larger than 1 MiB', 'Is this the right file?')
  }
  const strange = /(?![\t\n\r])[\p{Cc}\p{Cs}\ufffd-\uffff]/u.exec(text)
  if (strange === null) return undefined
  for (const newline of text.slice(0, strange.index).matchAll(/\n/g)) source.lines.addNewLine(newline.index + 1)
  const code = strange[0].charCodeAt(0).toString(16).padStart(4, '0')
  return problem(
    'manifest/not-text',
    placeAt(source, strange.index),
    `has the character U+${code.toUpperCase()}, which no text in UTF-8 has`,
    'Save the file as plain UTF-8 text.',
  )
}

function tokenize(text: string, source: Text): { tokens: CST.Token[]; problems: Problem[] } {
  const parser = new Parser((offset) => {
    source.lines.addNewLine(offset)
  })
  const tokens: CST.Token[] = []
  const problems: Problem[] = []
  let lexemes = 0
  for (const lexeme of new Lexer().lex(text)) {
    if (++lexemes > MOST_LEXEMES) {
      return {
        tokens: [],
        problems: [problem('manifest/too-large', placeAt(source, 0), `has more than ${MOST_LEXEMES} words and signs`)],
      }
    }
    for (const token of parser.next(lexeme)) collect(token)
    if (problems.length >= MOST_SYNTAX_PROBLEMS) return { tokens: [], problems }
  }
  for (const token of parser.end()) collect(token)
  return { tokens, problems: problems.slice(0, MOST_SYNTAX_PROBLEMS) }

  function collect(token: CST.Token): void {
    tokens.push(token)
    if (token.type === 'error') problems.push(syntaxProblem(source, token.offset, token.message))
    if (token.type === 'directive') {
      problems.push(
        problem(
          'manifest/directive',
          placeAt(source, token.offset),
          'is a YAML directive, which a manifest does not use',
          'Delete the line.',
        ),
      )
    }
    if (token.type !== 'document') return
    if (tokens.filter((t) => t.type === 'document').length > 1) {
      problems.push(
        problem(
          'manifest/many-documents',
          placeAt(source, token.offset),
          'starts a second document',
          'Keep one document; environments go under `environments`.',
        ),
      )
    }
    problems.push(...checkTree(token, source))
  }
}

/** Walks a token tree without recursion: too deep, and tags. */
function checkTree(document: CST.Document, source: Text): Problem[] {
  const problems: Problem[] = []
  const open: { token: CST.Token; depth: number }[] = []
  checkProperties(document.start)
  if (document.value) open.push({ token: document.value, depth: 1 })
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next
    if ('props' in token) checkProperties(token.props)
    if (!('items' in token)) continue
    if (depth > DEEPEST) {
      return [problem('manifest/too-deep', placeAt(source, token.offset), `is nested more than ${DEEPEST} levels deep`)]
    }
    for (const item of token.items) {
      checkProperties(item.start)
      checkProperties(item.sep ?? [])
      for (const child of [item.value, item.key]) if (child) open.push({ token: child, depth: depth + 1 })
    }
  }
  return problems

  function checkProperties(tokens: readonly CST.Token[]): void {
    for (const token of tokens) {
      if (token.type !== 'tag') continue
      const hint = 'Delete the tag; put the value in quotes when it must stay text.'
      problems.push(
        problem('manifest/tag', placeAt(source, token.offset), 'has a YAML tag, which a manifest does not use', hint),
      )
    }
  }
}

function compose(tokens: readonly CST.Token[], source: Text): ReadResult {
  // Keys that are given twice are found by our own walk: the library's check takes quadratic time and names one place only.
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false, logLevel: 'silent' })
  const [document] = withoutStacks(() => [...composer.compose(tokens, true, 0)])
  if (document === undefined) return { problems: [problem('manifest/empty', placeAt(source, 0), 'is empty')] }
  if (document.errors.length === 0) return { document, lines: source.lines, problems: [] }
  const problems = document.errors
    .slice(0, MOST_SYNTAX_PROBLEMS)
    .map((error: YAMLError) => syntaxProblem(source, error.pos[0], error.message))
  return { problems }
}

/** A text can hold half a million errors, and nobody reads where in the library they were made: nine tenths of the time. */
function withoutStacks<T>(work: () => T): T {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return work()
  } finally {
    Error.stackTraceLimit = limit
  }
}

function syntaxProblem(source: Text, offset: number, message: string): Problem {
  const first = (message.split('\n')[0] ?? '').trim().replace(/[.:]$/, '')
  const what = first.charAt(0).toLowerCase() + first.slice(1)
  return problem(
    'manifest/yaml',
    placeAt(source, offset),
    `is not YAML: ${what.length > 160 ? `${what.slice(0, 157)}...` : what}`,
  )
}
