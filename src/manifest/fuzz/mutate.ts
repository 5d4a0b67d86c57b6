export type Random = (below: number) => number

/** A sequence that a seed repeats: mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

const SIGNS = '{}[]:,-#&*!|>\'"%@`?<~=\\/ \n\t0'
const VALUES = [
  '',
  '5',
  '-1',
  '1e999',
  '.nan',
  '.inf',
  'null',
  'true',
  '[]',
  '{}',
  '[[]]',
  '{a: 1}',
  '"\\0"',
  '"\\ud800"',
  '*common',
  '&common x',
  '!!str x',
  '<<',
  '__proto__',
  'constructor',
  '99999999999999999999',
  '10',
  '-x',
  '"a\\nb"',
  '/',
  '..',
  '2001-01-01',
]

/** One to four changes of a text: bytes, signs, lines, keys, values, pieces. */
export function mutate(text: string, random: Random): string {
  const changes = [flipByte, insertSign, swapLines, dropLine, doubleLine, renameKey, changeValue, cutPiece, copyPiece]
  let result = text
  for (let n = 1 + random(4); n > 0; n--) result = changes[random(changes.length)]!(result, random)
  return result
}

function flipByte(text: string, random: Random): string {
  const bytes = Buffer.from(text)
  if (bytes.length === 0) return text
  const at = random(bytes.length)
  bytes[at] = bytes[at]! ^ (1 << random(8))
  return bytes.toString('utf8')
}

function insertSign(text: string, random: Random): string {
  const at = random(text.length + 1)
  return text.slice(0, at) + SIGNS[random(SIGNS.length)]! + text.slice(at)
}

function swapLines(text: string, random: Random): string {
  const lines = text.split('\n')
  const [a, b] = [random(lines.length), random(lines.length)]
  return lines.with(a, lines[b]!).with(b, lines[a]!).join('\n')
}

function dropLine(text: string, random: Random): string {
  const lines = text.split('\n')
  return lines.toSpliced(random(lines.length), 1).join('\n')
}

function doubleLine(text: string, random: Random): string {
  const lines = text.split('\n')
  const at = random(lines.length)
  return lines.toSpliced(at, 0, lines[at]!).join('\n')
}

function renameKey(text: string, random: Random): string {
  const keys = [...text.matchAll(/[a-z_]+(?=:)/gi)]
  const key = keys[random(keys.length)]
  if (key === undefined) return text
  const renamed = [key[0].slice(1), `${key[0]}s`, VALUES[random(VALUES.length)]!, keys[random(keys.length)]![0]][
    random(4)
  ]!
  return text.slice(0, key.index) + renamed + text.slice(key.index + key[0].length)
}

function changeValue(text: string, random: Random): string {
  const values = [...text.matchAll(/(?<=: )(?:\[[^\]\n]*\]|\{[^{}\n]*\}|[^,{}[\]\n]+)/g)]
  const value = values[random(values.length)]
  if (value === undefined) return text
  return text.slice(0, value.index) + VALUES[random(VALUES.length)]! + text.slice(value.index + value[0].length)
}

function cutPiece(text: string, random: Random): string {
  const at = random(text.length + 1)
  return text.slice(0, at) + text.slice(at + random(40))
}

function copyPiece(text: string, random: Random): string {
  const [from, to] = [random(text.length + 1), random(text.length + 1)]
  return text.slice(0, to) + text.slice(from, from + random(60)) + text.slice(to)
}
