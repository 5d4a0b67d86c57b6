import { z } from 'zod'
import { nearMiss } from '../problem/near-miss.ts'
import { scrubUrlCredentials } from '../secrets/secret.ts'
import { show } from './source.ts'

/**
 * The small words of a manifest: names, paths, durations. A message is what is wrong and, on a second line, the hint;
 * `validate.ts` takes the two apart. The title is the word for the type in `drover docs` and in editors.
 */

export function message(what: string, hint?: string): string {
  return hint === undefined ? what : `${what}\n${hint}`
}

/** For the `error` of a zod schema: `should be …, got …`, or that it is missing. */
export function expecting(expected: string, hint?: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => {
    if (input === undefined) return `is missing; it should be ${expected}`
    return message(`should be ${expected}, got ${scrubUrlCredentials(show(input))}`, hint)
  }
}

/** One of a few words, with the near miss by name. */
export function oneOf<const W extends readonly [string, ...string[]]>(words: W) {
  return z.enum(words, {
    error: ({ input }) => {
      const meant = typeof input === 'string' ? nearMiss(input, words) : undefined
      return expecting(`one of ${words.join(', ')}`, meant && `Did you mean ${meant}?`)({ input })
    },
  })
}

export function text(expected: string, pattern: RegExp, hint?: string) {
  const error = expecting(expected, hint)
  return z.string({ error }).regex(pattern, { error })
}

export function whole(expected: string, least: number, most: number) {
  const error = expecting(`${expected} from ${least} to ${most}`)
  return z.number({ error }).int({ error }).min(least, { error }).max(most, { error })
}

export function flag(expected: string) {
  return z.boolean({ error: expecting(expected) })
}

/** A mapping with these keys and no others, but for `x-` keys, which `walk.ts` has taken out. */
export function mapping<S extends z.ZodRawShape>(shape: S, hint?: string) {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, known)).join('\n')
      return expecting('a mapping', hint)(issue)
    },
  })
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearMiss(key, known)
  return meant === undefined ? `The keys here are ${known.join(', ')}.` : `Did you mean ${meant}?`
}

export function listOf<T extends z.ZodType>(entry: T, expected: string) {
  return z.array(entry, { error: expecting(expected) })
}

const NAME = /^[a-z][a-z0-9-]{0,39}$/

/** Names stand in unit names, file names and nginx variables. `constructor` would be found on every plain object. */
export const name = text('a name', NAME, 'A name has 1 to 40 of a-z, 0-9 and -, and starts with a letter.')
  .refine((word) => word !== 'constructor', { error: message('cannot be a name', 'Choose another word.') })
  .meta({ title: 'name' })

/** Names of variables that Drover itself sets for every slot. */
export function isReservedVariable(word: string): boolean {
  return word === 'PORT' || word === 'HOST' || word.startsWith('DROVER_')
}

const identifier = text(
  'the name of a variable',
  /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
  'A variable has letters, digits and _, and does not start with a digit.',
)

export const variableName = identifier
  .refine((word) => !isReservedVariable(word), {
    error: message('is set by Drover itself', 'Remove it; a slot finds its own port in PORT and its address in HOST.'),
  })
  .meta({ title: 'name of a variable', not: { pattern: '^(PORT|HOST|DROVER_.*)$' } })

export const port = whole('a port', 1, 65535).meta({ title: 'port' })

/** Relative to the repository; given back without `./`, doubled or trailing slashes. */
export const repositoryPath = z
  .string({ error: expecting('a path') })
  .refine(isRepositoryPath, {
    error: expecting(
      'a path inside the repository',
      'Write it relative to the repository, without `..`, such as services/backend.',
    ),
  })
  .transform((path) => partsOf(path).join('/') || '.')
  .meta({ title: 'path in the repository' })

function isRepositoryPath(path: string): boolean {
  const parts = partsOf(path)
  // A leading `:` is magic to git, a leading `-` an option to every program.
  if (path === '' || path.length > 1000 || path.startsWith('/') || /^[:-]/.test(parts[0] ?? '')) return false
  return (
    !/\p{Cc}/u.test(path) &&
    path.isWellFormed() &&
    !parts.some((part) => part === '..' || part.toLowerCase() === '.git')
  )
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

/** Characters of RFC 3986, so that the path means the same to Drover, nginx and the service. */
export const urlPath = text(
  'a path on the service',
  /^\/(?!\/)[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]{0,500}$/,
  'Start with one /, such as /health/ready.',
).meta({ title: 'path on the service' })

/** It stands in configuration files of nginx, PM2 and systemd, hence the few characters. */
export const hostFolder = text(
  'a folder on the hosts',
  /^(?=.{1,200}$)(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._@+-]+)+$/,
  'Give an absolute path, such as /opt/pakashop, of letters, digits and . _ @ + -.',
).meta({ title: 'absolute path' })

const destinationHint = 'Write user@host, or an alias of your ssh configuration.'

/** With several colons an IPv6 address. Anything that begins with `-` would be an option to ssh. */
const DESTINATION = /^(?=.{1,250}$)[A-Za-z0-9_][A-Za-z0-9._@%-]*(?:(?::[A-Fa-f0-9]*){2,7})?$/

function destinationError({ input }: { readonly input?: unknown }): string {
  const hasPort = typeof input === 'string' && /^[^:/]+:\d+$/.test(input)
  const hint = hasPort ? 'Write { ssh: user@host, port: 2222 }.' : destinationHint
  return expecting('a destination for ssh', hint)({ input })
}

export const sshDestination = z
  .string({ error: destinationError })
  .regex(DESTINATION, { error: destinationError })
  .meta({ title: 'destination for ssh' })

/** It stands in nginx's configuration. */
export const address = text(
  'an IP address or a name',
  /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}|[A-Fa-f0-9:.]{1,44})$/,
).meta({
  title: 'IP address or name',
})

export const commandLine = text(
  'a command',
  /^(?=.*\S)\P{Cc}{1,4000}\n?$/u,
  'Write one line; several commands belong in a script.',
)
  .transform((line) => line.trim())
  .meta({ title: 'command' })

/** The rules of `git check-ref-format --branch`. */
export const branch = z
  .string({ error: expecting('the name of a git branch', 'Put it in quotes.') })
  .refine(isBranch, { error: expecting('the name of a git branch') })
  .meta({ title: 'branch' })

function isBranch(ref: string): boolean {
  if (ref === '' || ref === '@' || ref.length > 250 || /[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$/u.test(ref))
    return false
  return (
    ref.isWellFormed() &&
    ref !== 'HEAD' &&
    ref.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'))
  )
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** Node's timers count in 31 bits of milliseconds, 24.8 days; a longer one would fire at once. */
const LONGEST_MS = 24 * 86_400_000

/** Given back in milliseconds. */
export function duration(options: { readonly least: '0s' | '1ms' }) {
  const least = options.least === '0s' ? 0 : 1
  const error = expecting('a duration', 'Write a whole number with its unit: 500ms, 10s, 5m, 1h or 2d.')
  return z
    .string({ error })
    .regex(/^\d{1,10}(?:ms|s|m|h|d)$/, { error, abort: true })
    .refine((word) => milliseconds(word) >= least && milliseconds(word) <= LONGEST_MS, {
      error: expecting(`a duration from ${options.least} to 24d`),
    })
    .transform(milliseconds)
    .meta({ title: 'duration' })
}

function milliseconds(word: string): number {
  const [, amount = '', unit = ''] = /^(\d+)(ms|s|m|h|d)$/.exec(word) ?? []
  return Number(amount) * (UNITS[unit] ?? Number.NaN)
}

const BYTES: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 }
const LEAST_MEMORY = 4 * 1024 ** 2

const memoryError = expecting(
  'an amount of memory from 4M to 1023G',
  'Write a whole number with K, M or G: 512M or 2G.',
)

/** Given back in bytes. */
export const memory = z
  .string({ error: memoryError })
  .regex(/^\d{1,9}[KMG]$/, { error: memoryError, abort: true })
  .refine((word) => bytes(word) >= LEAST_MEMORY && bytes(word) < 1024 ** 4, { error: memoryError })
  .transform(bytes)
  .meta({ title: 'memory' })

function bytes(word: string): number {
  return Number(word.slice(0, -1)) * (BYTES[word.slice(-1)] ?? Number.NaN)
}

/** Of one processor; given back in percent. */
export const processors = text(
  'a share of a processor from 1% to 99999%',
  /^[1-9]\d{0,4}%$/,
  '50% is half of one, 200% is two.',
)
  .transform((percent) => Number(percent.slice(0, -1)))
  .meta({ title: 'share of a processor' })

const shareError = expecting('a share from 0% to 100%', 'Write 1% or 0.01.')

/** `1%` or `0.01`, given back as 0.01. */
export const share = z
  .union(
    [
      z
        .string()
        .regex(/^(?:100|\d{1,2}(?:\.\d{1,6})?)%$/, { error: shareError })
        .transform((percent) => Number(percent.slice(0, -1)) / 100),
      z.number().min(0, { error: shareError }).max(1, { error: shareError }),
    ],
    { error: shareError },
  )
  .meta({ title: 'share' })

const noValue = message('has no value', 'Write "" for an empty one.')
const valueError = expecting('text, a number, true, false or {secret: NAME}')

/** What a variable holds. No message shows a text, which may be a secret in the wrong place. */
export const value = z
  .union(
    [
      z.string().refine((word) => !word.includes('\0') && word.isWellFormed(), {
        error: 'has a character that no variable can hold',
      }),
      z.number(),
      z.boolean(),
      mapping({ secret: identifier.describe('Name of the secret that holds the value.') }),
    ],
    { error: ({ input }) => (input === null ? noValue : valueError({ input })) },
  )
  .transform((given) => (typeof given === 'object' ? given : String(given)))
  .meta({ title: 'value' })
