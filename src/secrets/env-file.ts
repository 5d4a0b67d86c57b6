import { readFile, stat } from 'node:fs/promises'
import { problem, Refusal, refusal } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { Secret } from './secret.ts'

/**
 * Secrets from a file of lines `NAME=value`: `#` comments, `export ` in front, single or double quotes around the
 * value; inside double quotes `\n`, `\"` and `\\` count. No substitution of any kind. An absent file has no secrets. A
 * file that others may read is refused, and so is every line that cannot be read, by its number and never by its text.
 */
export async function readEnvFile(file: string): Promise<Map<string, Secret>> {
  let text: string
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0) {
      throw refusal('secrets/readable-by-others', { file }, 'can be read by other users', `Run: chmod 600 ${file}`)
    }
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map()
    throw error
  }
  return parseEnvFile(text, file)
}

export function parseEnvFile(text: string, file: string): Map<string, Secret> {
  const secrets = new Map<string, Secret>()
  const problems: Problem[] = []
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const match = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line)
    const value = match === null ? undefined : unquote(match[2]!)
    if (match === null || value === undefined) {
      problems.push(
        problem(
          'secrets/unreadable-line',
          { file, line: index + 1 },
          'should be NAME=value',
          'A value with spaces or # stands in single or double quotes.',
        ),
      )
    } else secrets.set(match[1]!, new Secret(value))
  }
  if (problems.length > 0) throw new Refusal(problems)
  return secrets
}

function unquote(text: string): string | undefined {
  const single = /^'([^']*)'$/.exec(text)
  if (single !== null) return single[1]
  const double = /^"((?:[^"\\]|\\.)*)"$/.exec(text)
  if (double !== null) return double[1]!.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c))
  return /^['"]/.test(text) || /\s#/.test(text) ? undefined : text
}
