import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { ask, startTrial, whoAnswers } from '../trial.ts'
import type { Trial, TrialService } from '../trial.ts'
import { nginxRouter } from './nginx-router.ts'

describe('what a person has changed by hand', { concurrency: 4 }, () => {
  test('a configuration that is broken is told of, harms nobody and is repaired', async (context) => {
    const { trial, shop, folder } = await start(context)
    const file = join(folder, 'shapes', (await trial.observe()).shape ?? '', 'nginx.conf')
    await writeFile(file, 'this is no configuration {', { flag: 'a' })

    const broken = await trial.observe()
    const { changed } = await trial.shape([shop.route])
    const repaired = await trial.observe()

    assert.deepEqual(broken.edited, [file])
    assert.equal(changed, true)
    assert.deepEqual([repaired.edited, repaired.shape], [undefined, broken.shape])
    assert.equal(await whoAnswers(shop.route.port), 'shop.a')
  })

  test('one that nginx has loaded already is gone when shape returns', async (context) => {
    const { trial, shop, folder } = await start(context)
    const other = await trial.service('other')
    await trial.shape([shop.route, other.route])
    const file = join(folder, 'shapes', (await trial.observe()).shape ?? '', 'nginx.conf')
    const error = async (): Promise<string> => (await ask(other.route.port)).body
    await writeFile(file, (await readFile(file, 'utf8')).replace('not released', 'by hand'))
    process.kill(Number(await readFile(join(folder, 'nginx.pid'), 'utf8')), 'SIGHUP')
    while (!(await error()).includes('by hand'));

    const { changed } = await trial.shape([shop.route, other.route])

    assert.equal(changed, true)
    for (let i = 0; i < 20; i++) assert.match(await error(), /not released/)
    assert.equal((await trial.shape([shop.route, other.route])).changed, false)
  })

  test('a file in the place of the link is told of and replaced', async (context) => {
    const { trial, shop, folder } = await start(context)
    const file = join(folder, 'nginx.conf')
    const text = await readFile(file)
    await rm(file)
    await writeFile(file, text)

    const { edited } = await trial.observe()
    await trial.shape([shop.route])

    assert.deepEqual(edited, [file])
    assert.equal((await trial.observe()).edited, undefined)
  })

  test('markers of the live set that are gone or new are told of; laying it again puts them right', async (context) => {
    const { trial, shop, folder } = await start(context)
    await rm(join(folder, 'live/shop.a'))
    await writeFile(join(folder, 'live/shop.b'), '')

    const { edited } = await trial.observe()
    await trial.live('one', { shop: 'a' })

    assert.deepEqual(edited?.toSorted(), [join(folder, 'live/shop.a'), join(folder, 'live/shop.b')])
    assert.equal((await trial.observe()).edited, undefined)
    assert.equal(await whoAnswers(shop.route.port), 'shop.a')
  })
})

interface Started {
  readonly trial: Trial
  readonly shop: TrialService
  readonly folder: string
}

async function start(context: TestContext): Promise<Started> {
  const trial = await startTrial(nginxRouter({ closingMs: 20 }))
  context.after(() => trial.end())
  const shop = await trial.service('shop')
  await trial.shape([shop.route])
  await trial.live('one', { shop: 'a' })
  return { trial, shop, folder: join(trial.root, 'router') }
}
