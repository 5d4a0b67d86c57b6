import { nearMiss } from '../problem/near-miss.ts'
import type { EnvironmentRef } from '../release/records.ts'
import { usage } from './cli.ts'
import type { Cli } from './cli.ts'
import type { Client } from './client/client.ts'
import { findOutline } from './manifest-file.ts'

/** Which environment a command means, and the words that are left for it. */
export interface Target {
  readonly environment: EnvironmentRef
  readonly rest: readonly string[]
}

export interface TargetWords {
  /** The arguments of the command: the environment first, unless it is left out. */
  readonly words: readonly string[]
  /** What -e says. */
  readonly option?: string | undefined
}

/**
 * The environment of a command that works on what is deployed. A broken manifest must not stand in the way of a rollback.
 */
export async function targetOf(cli: Cli, client: Client, words: TargetWords): Promise<Target> {
  return chooseEnvironment(await knownEnvironments(cli, client), words)
}

/** What the manifest names; where there is none, or it is beyond reading, what the control plane knows. */
export async function knownEnvironments(cli: Cli, client: Client): Promise<readonly EnvironmentRef[]> {
  return (await findOutline(cli))?.environments ?? client.environments()
}

/** The environment that is named; the only one when none is. */
export function chooseEnvironment(known: readonly EnvironmentRef[], { words, option }: TargetWords): Target {
  const [first, ...others] = words
  const firstIsOne = first !== undefined && known.some(({ environment }) => environment === first)
  if (option !== undefined && firstIsOne && first !== option)
    throw usage('environment', `is ${first} as an argument and ${option} with -e`, 'Name it once.')
  const named = option ?? (firstIsOne ? first : undefined)
  const rest = firstIsOne ? others : words
  if (named !== undefined) return { environment: only(known, named), rest }
  if (known.length === 1) return { environment: known[0]!, rest }
  // The word that stands where the environment belongs is most likely a misspelt one.
  throw first === undefined ? missing(known) : unknown(known, first)
}

function only(known: readonly EnvironmentRef[], name: string): EnvironmentRef {
  const [found, second] = known.filter(({ environment }) => environment === name)
  if (found === undefined) throw unknown(known, name)
  if (second === undefined) return found
  throw usage(
    'environment',
    `${name} is one of ${found.fleet} and one of ${second.fleet}`,
    'Run the command where the drover.yaml of the fleet is, or name that with -c.',
  )
}

function missing(known: readonly EnvironmentRef[]): Error {
  if (known.length === 0)
    return usage(
      'environment',
      'cannot be told: there is no drover.yaml here, and nothing has been released yet',
      '`drover init` writes a first drover.yaml.',
    )
  return usage('environment', 'is missing', `Name one of ${namesOf(known)}.`)
}

function unknown(known: readonly EnvironmentRef[], name: string): Error {
  if (known.length === 0) return missing(known)
  const near = nearMiss(
    name,
    known.map(({ environment }) => environment),
  )
  return usage(
    'environment',
    `there is no environment ${JSON.stringify(name)}`,
    near === undefined ? `There are ${namesOf(known)}.` : `Did you mean ${near}?`,
  )
}

function namesOf(known: readonly EnvironmentRef[]): string {
  return [...new Set(known.map(({ environment }) => environment))].join(', ')
}

/** A release's number from the words of a command. */
export function releaseNumber(word: string): number {
  const digits = /^#?(\d{1,9})$/.exec(word)?.[1]
  if (digits === undefined || Number(digits) === 0)
    throw usage(
      'release',
      `should be a number such as 12, got ${JSON.stringify(word)}`,
      '`drover releases` lists them.',
    )
  return Number(digits)
}
