import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { passOn } from '../hosts/pass-on.ts'
import { buildService, lookUp } from './build-service.ts'
import type { Builder } from './builder.ts'
import { refusalOf, startTrial, startedOutput } from './trial.ts'
import type { Files, Trial, TrialOrder } from './trial.ts'

export interface ConformanceCase {
  /** A service at services/shop that prints `word` when it is started. */
  readonly files: (word: string) => Files
  /** What the manifest has to say besides, for a language without a convention. */
  readonly service?: TrialOrder['service']
  /** Whether the language needs programs of its own; a command does not. */
  readonly hasTools: boolean
  /** A service that nothing says how to start. */
  readonly withoutStart: Omit<TrialOrder, 'builder'>
}

/** What every builder promises, tried with real tools on this machine. */
export function builderConformance(
  name: string,
  builder: Builder,
  { files, service = {}, ...given }: ConformanceCase,
): void {
  describe(`${name} builder`, () => {
    let trial: Trial
    before(async () => {
      trial = await startTrial()
    })
    after(() => trial.end())

    it('makes an artifact that starts, and makes it once', async () => {
      const order = trial.order({ builder, files: files('hello'), service })

      const before = (await lookUp(order)).artifact
      const first = await buildService(order)
      const second = await buildService({ ...order, checkout: () => assert.fail('it was checked out again') })

      assert.equal(before, undefined)
      assert.deepEqual([first.how, second.how], ['built', 'reused'])
      assert.deepEqual(second.artifact, first.artifact)
      assert.deepEqual((await lookUp(order)).artifact, first.artifact)
      assert.equal((await startedOutput(first.artifact)).trim(), 'hello')
      assert.equal(await trial.store.verify(first.artifact), true, 'it wrote into its artifact when it ran')
      assert.deepEqual(await readdir(join(trial.store.folder, 'tmp')), [])
    })

    it('gives equal content the same name in another place, and other content another', async () => {
      const elsewhere = await startTrial()
      const { artifact: here } = await buildService(trial.order({ builder, files: files('hello'), service }))

      const same = await buildService(elsewhere.order({ builder, files: files('hello'), service }))
      const other = await buildService(trial.order({ builder, files: files('goodbye'), service }))
      await elsewhere.end()

      assert.equal(same.how, 'built')
      assert.equal(same.artifact.id, here.id)
      assert.notEqual(other.artifact.id, here.id)
      assert.equal((await startedOutput(other.artifact)).trim(), 'goodbye')
    })

    it('tells why a build command failed and leaves nothing', async () => {
      const build = 'echo step one; echo oh no >&2; exit 3'
      const order = trial.order({ builder, files: files('failing'), service: { ...service, build } })

      const refusal = await refusalOf(buildService(order))

      assert.deepEqual(
        refusal.problems.map((problem) => [problem.code, problem.where.at, problem.what]),
        [['build/failed', 'service shop', 'the build command ended with exit code 3']],
      )
      assert.match(refusal.problems[0]?.hint ?? '', /step one[^]*oh no/)
      assert.equal((await lookUp(order)).artifact, undefined)
      assert.deepEqual(await readdir(join(trial.store.folder, 'tmp')), [])
    })

    it('refuses a service that nothing says how to start', async () => {
      const order = trial.order({ builder, ...given.withoutStart })

      assert.equal((await refusalOf(buildService(order))).problems[0]?.code, 'build/no-start')
    })

    it(
      'says which tools are missing and how to get them',
      { skip: given.hasTools ? false : 'it has no tools of its own' },
      async () => {
        const order = trial.order({ builder, files: files('hello'), service })
        const empty = await trial.store.scratch()
        const host: typeof order.host = {
          ...order.host,
          run: (command, options) =>
            order.host.run({ ...command, env: { ...command.env, ...passOn(['HOME']), PATH: empty } }, options),
        }

        const refusal = await refusalOf(buildService({ ...order, host }))

        assert.equal(refusal.problems[0]?.code, 'build/no-toolchain')
        assert.match(refusal.problems[0]?.hint ?? '', /^Install .*apt-get install/)
      },
    )
  })
}
