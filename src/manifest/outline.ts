/** What a client has to know of a manifest to say which environment it means. */
export interface Outline {
  readonly fleet: string
  /** Names, in the order of the file. */
  readonly environments: readonly string[]
}

/**
 * The names in a manifest, for programs that only pass them on: the schema and every check are left to whoever reads the
 * commit that is released. undefined when the text does not show them; `loadManifest` says why.
 */
export async function readOutline(text: string, file: string): Promise<Outline | undefined> {
  return plainOutline(text) ?? (await import('./yaml-outline.ts')).yamlOutline(text, file)
}

/** A plain word that YAML takes for text. */
const NAME = '(?!(?:true|false|null)\\b)[a-z][a-z0-9-]*'
const NOTHING = /^ *(?:#.*)?$/

/**
 * Read line by line from manifests as people write them; undefined for anything else. It is for speed alone: the YAML
 * library takes as long to load and read as all the rest of a command. What begins a line is a key of the outermost
 * mapping, because every value that goes on over lines is indented.
 */
export function plainOutline(text: string): Outline | undefined {
  if (/[\t\r\ufeff]|^(?![a-z# ]|$)/m.test(text)) return undefined
  const lines = text.split('\n').filter((line) => !NOTHING.test(line))
  const starts = lines.flatMap((line, index) => (line.startsWith(' ') ? [] : [index]))
  const blockOf = (key: string): string[] | undefined => {
    const [found, second] = starts.filter((index) => lines[index]!.startsWith(`${key}:`))
    if (found === undefined || second !== undefined) return undefined
    return lines.slice(
      found,
      starts.find((index) => index > found),
    )
  }
  const fleet = new RegExp(`^fleet: +(${NAME})(?: +#.*)?$`).exec(blockOf('fleet')?.join('\n') ?? '')?.[1]
  const [head, ...block] = blockOf('environments') ?? []
  const environments = head === undefined || !/^environments: *(?: #.*)?$/.test(head) ? undefined : keysOf(block)
  return fleet === undefined || environments === undefined ? undefined : { fleet, environments }
}

/** The keys at the indentation of the first line; what is indented further belongs to them. */
function keysOf(block: readonly string[]): string[] | undefined {
  const indent = /^ */.exec(block[0] ?? '')![0]
  const key = new RegExp(`^${indent}(${NAME}):(?: .*)?$`)
  const keys: string[] = []
  for (const line of block) {
    if (line.startsWith(`${indent} `)) continue
    const name = key.exec(line)?.[1]
    if (name === undefined || keys.includes(name)) return undefined
    keys.push(name)
  }
  return keys.length === 0 ? undefined : keys
}
