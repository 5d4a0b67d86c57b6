import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, relative } from 'node:path'
import { run } from 'node:test'
import type { TestEvent } from 'node:test/reporters'
import { buildBaseTree } from '../lab/base-tree.ts'
import { sweepLabs } from '../lab/lab.ts'
import { whatIsMissing } from '../lab/needs.ts'
import closingLine from './closing-line.ts'

/**
 * The whole suite: format, lint and types, then the fast tests side by side, then the slow ones two at a time.
 * `node test/run.ts fast` leaves the slow ones out, `node test/run.ts lab` runs those that need the lab. Where the lab
 * cannot run, its tests are left out, or fail where DROVER_LAB=required. Ends with one line of totals.
 *
 * DROVER_TEST_UNTIL, in seconds since the epoch: no slow file is begun that might not end by then, and those left out are
 * named. Without it all are run.
 */
const SLOW = '{src,test,bench,demo,lab}/**/*.slow.ts'
/** They wait for processes and hosts much of their time, and fill two cores the rest of it. */
const AT_ONCE = 2
const SHOWN_FILES = 10
const LONGEST = ['crash.slow', 'test/story/', 'runtimes/', 'bootstrap', 'routers/', 'ssh/', 'drover-host']
/** Minutes each, so that where time is short they are what is left out. */
const LAST = [
  'test/story/several-hosts.slow.ts',
  'test/story/hosts-faults.slow.ts',
  'test/story/hosts-drift.slow.ts',
  'test/story/hosts-amiss.slow.ts',
  'test/story/matrix/matrix.slow.ts',
]
/** With room to spare on a busy machine. */
const LAST_TAKE_S = 240
const OTHERS_TAKE_S = 150
const ON_LAB = [
  'lab/*.slow.ts',
  'src/hosts/drover-host/*.slow.ts',
  'src/release/bootstrap-*.slow.ts',
  'src/routers/nginx/on-lab-host.slow.ts',
  'src/routers/nginx/over-hosts.slow.ts',
  'src/runtimes/systemd/*.slow.ts',
  'test/story/hosts*.slow.ts',
  'test/story/matrix/matrix.slow.ts',
  'test/story/several-hosts.slow.ts',
]
const root = join(import.meta.dirname, '..')
const checks = [
  ['format', 'oxfmt', ['--check']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings']],
  ['types', 'tsc', ['-p', 'tsconfig.json']],
] as const

// Every test file is a process of its own that loads the same modules.
process.env['NODE_COMPILE_CACHE'] ??= join(root, '.cache/compiled')

const totals = { passed: 0, failed: 0, skipped: 0 }

const part = process.argv[2]
const missing = part === 'fast' ? [] : await whatIsMissing()
if (missing.length > 0) sayWithoutLab(missing)
// It waits for Debian's mirror most of the time.
const lab = part === 'fast' || missing.length > 0 ? undefined : buildLab()
for (const [name, program, args] of part === 'lab' ? [] : checks) {
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules/.bin', program), args, {
    cwd: root,
    encoding: 'utf8',
  })
  if (status === 0) totals.passed++
  else {
    totals.failed++
    process.stdout.write(`✖ ${name}\n${stdout}${stderr}\n`)
  }
}

if (part !== 'lab')
  await suite('fast tests', find(['{src,test,bench,demo,lab}/**/*.test.ts']), 2 * availableParallelism())
if (part !== 'fast') {
  await lab
  const name = part === 'lab' ? 'tests on hosts of the lab' : 'slow tests'
  const files = find(part === 'lab' ? ON_LAB : [SLOW])
  const last = LAST.filter((file) => files.includes(file))
  await whileThereIsTime(name, [...longestFirst(files.filter((file) => !last.includes(file))), ...last])
  if (missing.length === 0) await sweepLabs()
}

const { passed, failed, skipped } = totals
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

/** Before the slow tests, so that none of them is the one that waits for it. */
async function buildLab(): Promise<void> {
  try {
    await buildBaseTree((line) => process.stdout.write(`${line}\n`))
  } catch (error) {
    totals.failed++
    process.stdout.write(`✖ the lab's base tree\n  ${String(error)}\n`)
  }
}

function sayWithoutLab(missing: readonly string[]): void {
  const isRequired = process.env['DROVER_LAB'] === 'required'
  if (isRequired) totals.failed++
  const what = isRequired ? '✖ the lab cannot run, and DROVER_LAB=required' : 'tests of the lab are left out'
  process.stdout.write(`${what}: ${missing.join('; ')}\n`)
}

function find(patterns: readonly string[]): string[] {
  return [...new Set(globSync([...patterns], { cwd: root, exclude: ['**/node_modules/**'] }))].sort()
}

function isTooLate(file: string): boolean {
  const until = Number(process.env['DROVER_TEST_UNTIL'] ?? Infinity)
  return Date.now() / 1000 + (LAST.includes(file) ? LAST_TAKE_S : OTHERS_TAKE_S) > until
}

/** What takes minutes is not left to the end, where one core would have nothing else to do. */
function longestFirst(files: readonly string[]): string[] {
  const place = (file: string): number => LONGEST.findIndex((part) => file.includes(part)) + 1 || LONGEST.length + 1
  return files.toSorted((one, other) => place(one) - place(other))
}

async function suite(name: string, files: readonly string[], concurrency: number): Promise<void> {
  process.stdout.write(`${name}: ${files.length} files\n`)
  tellLongest(await play(files, concurrency))
}

/** So many files at once, each in a run of its own, so that none is begun too late. */
async function whileThereIsTime(name: string, files: readonly string[]): Promise<void> {
  process.stdout.write(`${name}: ${files.length} files\n`)
  const left = [...files]
  const took: (readonly [file: string, ms: number])[] = []
  const worker = async (): Promise<void> => {
    while (left[0] !== undefined && !isTooLate(left[0])) took.push(...(await play([left.shift()!], 1)))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  if (left.length > 0) {
    process.stdout.write(`left out, as the time is up (make test runs them): ${left.join(', ')}\n`)
    totals.skipped += left.length
  }
  tellLongest(took)
}

/** How long each file took. */
async function play(files: readonly string[], concurrency: number): Promise<(readonly [file: string, ms: number])[]> {
  const took = new Map<string, number>()
  const events = run({ files: files.map((file) => join(root, file)), concurrency, cwd: root })
  for await (const text of closingLine(counted(events, took))) {
    if (!(files.length > 1 ? /^\d+ passed/ : /^(\d+ passed|took )/).test(text)) process.stdout.write(text)
  }
  return [...took]
}

async function* counted(events: AsyncIterable<TestEvent>, took: Map<string, number>): AsyncGenerator<TestEvent> {
  for await (const event of events) {
    if (event.type === 'test:pass' || event.type === 'test:fail') {
      const { file = '', nesting, details } = event.data
      if (nesting === 0) took.set(file, (took.get(file) ?? 0) + details.duration_ms)
      count(event)
    }
    yield event
  }
}

function tellLongest(took: readonly (readonly [file: string, ms: number])[]): void {
  const longest = took.toSorted(([, one], [, other]) => other - one).slice(0, SHOWN_FILES)
  const told = longest.map(([file, ms]) => `${relative(root, file)} ${(ms / 1000).toFixed(0)} s`)
  process.stdout.write(`the longest: ${told.join(', ')}\n`)
}

function count({ type, data }: Extract<TestEvent, { type: 'test:pass' | 'test:fail' }>): void {
  const details = data.details as
    | { readonly type?: string; readonly error?: { readonly failureType?: string } }
    | undefined
  if (details?.type === 'suite' && (type === 'test:pass' || details.error?.failureType === 'subtestsFailed')) return
  if (data.skip !== undefined || data.todo !== undefined) totals.skipped++
  else if (type === 'test:pass') totals.passed++
  else totals.failed++
}
