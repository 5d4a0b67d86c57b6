import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import type { TestEvent } from 'node:test/reporters'
import { buildBaseTree } from '../lab/base-tree.ts'
import { sweepLabs } from '../lab/lab.ts'
import { whatIsMissing } from '../lab/needs.ts'
import closingLine from './closing-line.ts'

/**
 * The whole suite: format, lint and types, then the fast tests side by side, then the slow ones one file at a time,
 * since those fill two cores by themselves. `node test/run.ts fast` leaves the slow ones out, `node test/run.ts lab` runs
 * what is slow and needs the lab, the long ones too. Where the lab cannot run, its tests are left out, or fail where
 * DROVER_LAB=required. Ends with one line of totals.
 */
const SLOW = '{src,test,bench,demo,lab}/**/*.slow.ts'
/** Minutes each. With them the whole suite takes longer than CI's half hour. */
const LONG = [
  'src/release/bootstrap-*.slow.ts',
  'src/routers/nginx/on-lab-host.slow.ts',
  'src/routers/nginx/over-hosts.slow.ts',
  'src/runtimes/systemd/inspect.slow.ts',
  'src/runtimes/systemd/systemd-faults.slow.ts',
  'test/release/several-hosts.slow.ts',
  'test/story/hosts-*.slow.ts',
  'test/story/matrix/matrix.slow.ts',
  'test/story/several-hosts.slow.ts',
]
const ON_LAB = [
  'lab/*.slow.ts',
  'src/hosts/drover-host/*.slow.ts',
  'src/runtimes/systemd/*.slow.ts',
  'test/story/hosts.slow.ts',
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
  const missing = await whatIsMissing()
  if (missing.length === 0) await buildLab()
  else sayWithoutLab(missing)
  const long = new Set(find(LONG))
  if (part === 'lab') await suite('tests on hosts of the lab', find([...ON_LAB, ...LONG]), 1)
  else {
    const files = find([SLOW])
    await suite(
      'slow tests',
      files.filter((file) => !long.has(file)),
      1,
    )
    process.stdout.write(`left to make lab-test: ${files.filter((file) => long.has(file)).length} long files\n`)
  }
  if (missing.length === 0) await sweepLabs()
}

const { passed, failed, skipped } = totals
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

/** Before the tests, so that none of them is the one that waits for it. */
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

async function suite(name: string, files: readonly string[], concurrency: number): Promise<void> {
  process.stdout.write(`${name}: ${files.length} files\n`)
  const events = run({ files: files.map((file) => join(root, file)), concurrency, cwd: root })
  for await (const text of closingLine(counted(events))) {
    if (!/^\d+ passed/.test(text)) process.stdout.write(text)
  }
}

async function* counted(events: AsyncIterable<TestEvent>): AsyncGenerator<TestEvent> {
  for await (const event of events) {
    if (event.type === 'test:pass' || event.type === 'test:fail') count(event)
    yield event
  }
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
