import { refusal } from '../../problem/problem.ts'
import type { Comparison, CompareOptions, Host } from '../host.ts'
import { programText } from './program-text.ts'

const COMPARE = programText('compare')
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
const TIMEOUT_MS = 10 * 60_000

/** Compares folders of a host with the inventories that lie beside them, in one round trip. See `Host.compare`. */
export async function compareFolders(
  { name, run }: Pick<Host, 'name' | 'run'>,
  folders: readonly string[],
  { deep = false, signal }: CompareOptions = {},
): Promise<readonly Comparison[]> {
  if (folders.length === 0) return []
  const { ok, stdout, stderr, failure } = await run(
    { program: 'perl', argv: ['-e', COMPARE, deep ? '1' : '0', ...folders], summary: `compare ${folders.join(' ')}` },
    { timeoutMs: TIMEOUT_MS, maxOutputBytes: MAX_ANSWER_BYTES, ...(signal === undefined ? {} : { signal }) },
  )
  const found = ok ? readComparisons(stdout) : []
  if (found.length === folders.length) return found
  const what = `cannot be compared with what was laid there (${failure ?? 'the answer is not whole'}): ${stderr.trim()}`
  throw refusal('hosts/compare', `host ${name}`, what, 'May Drover read these folders there?')
}

function readComparisons(text: string): Comparison[] {
  const words = text.split('\0')
  const found: Comparison[] = []
  for (let at = 0; at < words.length - 1;) {
    const end = words.indexOf('', words[at] === 'laid' ? at + 3 : at + 1)
    const [, digest = '', count, ...paths] = words.slice(at, end)
    found.push({
      there: words[at] === 'laid',
      ...(digest === '' ? {} : { digest }),
      count: Number(count ?? 0),
      paths,
    })
    at = end + 1
  }
  return found
}
