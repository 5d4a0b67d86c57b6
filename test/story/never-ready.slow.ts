import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Release, ReleaseEvent } from '../../src/release/records.ts'
import { answers, carryOut, liveSet, storyBench } from './bench.ts'

const CODES = { never: 'runtimes/never-ready', hang: 'runtimes/never-ready', exit: 'runtimes/exited' } as const

describe('a service that does not come up', { concurrency: false }, () => {
  it('gets no request, is named with the reason, and changes nothing for users', { timeout: 180_000 }, async (t) => {
    const bench = await storyBench(t, { watch: '300ms' })
    await bench.fleet.rewrite((manifest) => manifest.replace('timeout: 20s', 'timeout: 4s'))
    const control = await bench.open()
    await carryOut(control, bench.deploy)
    const before = await answers(bench.fleet)
    const requests = join(bench.folder, 'requests.txt')
    const traffic = bench.trickle()

    for (const start of ['never', 'exit', 'hang'] as const) {
      await t.test(`because it ${WORDS[start]}`, async () => {
        await bench.fleet.commit({
          shop: { version: start, start, notesRequestsIn: requests },
          gateway: { version: start },
          jobs: { version: start },
        })

        const { release, events } = await carryOut(control, bench.deploy)

        assert.equal(release.outcome, 'restored')
        assert.deepEqual(
          release.problems.map(({ code, where }) => [code, where.at]),
          [[CODES[start], 'host local, shop.b']],
        )
        assert.deepEqual(failures(events), [{ service: 'shop', host: 'local', why: firstLine(release) }])
        assert.equal(release.switchedAt, undefined)
        assert.equal(await liveSet(bench.home), 'r1')
        assert.deepEqual(await answers(bench.fleet), before)
      })
    }

    await t.test('nor do those that wait for it start, or count as failed', async () => {
      await bench.fleet.commit({ config: { version: '2', start: 'exit' }, shop: { version: '2' } })

      const { release, events } = await carryOut(control, bench.deploy)

      assert.equal(release.outcome, 'restored')
      assert.deepEqual(failures(events), [{ service: 'config', host: 'local', why: firstLine(release) }])
      assert.deepEqual(await answers(bench.fleet), before)
    })

    await t.test('because it cannot be built', async () => {
      await bench.fleet.rewrite((manifest) =>
        manifest.replace(/(shop: \{)/, '$1 build: echo no such module && exit 3,'),
      )
      await bench.fleet.commit({ config: { version: '3' }, shop: { version: '3' } })

      const { release, events } = await carryOut(control, bench.deploy)

      assert.equal(release.outcome, 'restored')
      assert.deepEqual(failures(events), [{ service: 'shop', host: undefined, why: firstLine(release) }])
      assert.deepEqual(await answers(bench.fleet), before)
    })

    await t.test('until it does: what it would have noted is seen to be noted', async () => {
      await bench.fleet.rewrite((manifest) => manifest.replace(/ build: .* exit 3,/, ''))
      await bench.fleet.commit({ shop: { version: 'ready', notesRequestsIn: requests } })

      const { release } = await carryOut(control, bench.deploy)

      const { sent, failed } = await traffic.stop()
      assert.equal(release.outcome, 'kept')
      assert.ok(sent > 100)
      assert.deepEqual(failed, [])
      assert.deepEqual(await versionsAsked(requests), ['ready'], 'a request reached a service that was not ready')
    })
  })
})

const WORDS = { never: 'is never ready', exit: 'exits at its start', hang: 'never listens' } as const

interface Failure {
  readonly service: string
  readonly host: string | undefined
  readonly why: string | undefined
}

/** What those who watched were told. */
function failures(events: readonly ReleaseEvent[]): Failure[] {
  return events.flatMap(({ body }) =>
    body.kind === 'service' && body.state === 'failed'
      ? [{ service: body.service, host: body.host, why: body.detail }]
      : [],
  )
}

function firstLine({ problems }: Release): string | undefined {
  return problems[0]?.what.split('\n')[0]
}

async function versionsAsked(file: string): Promise<string[]> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  return [...new Set(lines.map((line) => line.split(' ')[0] ?? ''))]
}
