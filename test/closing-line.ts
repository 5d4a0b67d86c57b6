import type { TestEvent } from 'node:test/reporters'

/** A reporter for node:test: each failure with its place and cause, then one closing line `N passed, N failed`. */
export default async function* closingLine(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let passed = 0
  let failed = 0
  let skipped = 0
  const start = performance.now()
  for await (const { type, data } of source) {
    if (type === 'test:stderr' || type === 'test:stdout') {
      yield data.message
      continue
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details?.type === 'suite' && type === 'test:pass') continue
    if (data.skip !== undefined || data.todo !== undefined) {
      skipped++
      yield `- left out: ${data.name}${typeof data.skip === 'string' ? `: ${data.skip}` : ''}\n`
      continue
    }
    if (type === 'test:pass') {
      passed++
      continue
    }
    const error = data.details.error as Error & { cause?: unknown; failureType?: string }
    // A suite fails because a test in it failed, which has been counted; only its own hook's failure is news.
    if (data.details?.type === 'suite' && error.failureType === 'subtestsFailed') continue
    failed++
    const cause = error.cause instanceof Error ? error.cause : error
    yield `✖ ${data.file}:${data.line} ${data.name}\n  ${String(cause.stack).split('\n').slice(0, 14).join('\n  ')}\n`
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  yield `took ${seconds} s\n`
  yield `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}\n`
}
