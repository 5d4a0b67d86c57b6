import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import { Secret } from '../../secrets/secret.ts'
import type { Route } from '../router.ts'
import { ask, pause, refusalOf, startTrial, startUpload, whoAnswers } from '../trial.ts'
import type { Trial } from '../trial.ts'
import { nginxRouter } from './nginx-router.ts'
import type { NginxOptions } from './nginx-router.ts'
import { LIST_PROCESSES, masterOf, readProcesses } from './processes.ts'
import type { NginxProcess } from './processes.ts'

const TOKEN = 'Secret0123456789abcdef'

describe('an nginx of Drover', { concurrency: 4 }, () => {
  for (const folder of [`it's "quoted" $HOME; {}#\\n \`id\`\nand a line`, `${'long-'.repeat(40)}path`]) {
    test(`works below a folder named ${JSON.stringify(folder.slice(0, 40))}`, async (context) => {
      const trial = await start(context, { folder })
      const { route, a } = await trial.service('shop')

      await trial.shape([route])
      await trial.live('one', { shop: 'a' })
      const direct = await whoAnswers(route.port)
      await trial.live('held', { shop: { slot: 'a', hold: true } })
      const room = await trial.waitingRoom()
      room.open('shop', a.port)
      const throughRoom = await whoAnswers(route.port, { method: 'POST', body: 'x' })
      await room.close()
      const traffic = await trial.traffic(0, Date.now() + 1, 2)
      const again = await trial.shape([route])

      assert.deepEqual([direct, throughRoom], ['shop.a', 'shop.a'])
      assert.equal(traffic['shop']?.requests, 2)
      assert.equal(again.changed, false)
    })
  }

  test('is started again after its master was killed and the workers went on without it', async (context) => {
    const trial = await start(context)
    const { route } = await trial.service('shop')
    await trial.shape([route])
    await trial.live('one', { shop: 'a' })
    const { shape } = await trial.observe()
    process.kill((await masterPid(trial)) ?? Number.NaN, 'SIGKILL')
    while ((await masterPid(trial)) !== undefined) await pause(10)
    const headless = await trial.observe()
    const served = await whoAnswers(route.port)

    const { changed } = await trial.shape([route])

    assert.equal(headless.running, false)
    assert.equal(served, 'shop.a')
    assert.equal(changed, true)
    assert.deepEqual(await trial.observe().then((r) => [r.running, r.shape, r.live?.name]), [true, shape, 'one'])
    assert.equal(await whoAnswers(route.port), 'shop.a')
  })

  test('keeps its shape and says why when nginx refuses another', async (context) => {
    const trial = await start(context)
    const { route } = await trial.service('shop')
    await trial.shape([route])
    await trial.live('one', { shop: 'a' })
    const twice: Route = { ...route, service: 'other' }

    const refused = await refusalOf(trial.shape([route, twice]))

    assert.equal(refused.problems[0]?.code, 'routers/refused')
    assert.match(refused.message, /nginx refuses the configuration: .*conflicting parameter "\d+"/)
    assert.equal(await whoAnswers(route.port), 'shop.a')
    assert.equal((await trial.shape([route])).changed, false)
  })

  test('says how to get nginx where there is none', async (context) => {
    const trial = await start(context, { program: 'no-such-nginx' })
    const { route } = await trial.service('shop')

    const refused = await refusalOf(trial.shape([route]))

    assert.equal(refused.problems[0]?.code, 'routers/missing-program')
    assert.match(refused.message, /apt install nginx-light/)
  })

  test('runs without any route', async (context) => {
    const trial = await start(context)

    await trial.shape([])

    assert.equal((await trial.observe()).running, true)
  })

  test('writes no token, query string or header down', async (context) => {
    const trial = await start(context)
    const { route, b } = await trial.service('shop')
    await trial.shape([route])
    await trial.live('one', { shop: 'a' })
    await trial.lay(trial.set('two', { shop: { slot: 'b' } }), new Secret(TOKEN))
    await b.stop()

    const reply = await ask(route.port, {
      path: '/login?password=hidden',
      headers: { 'x-drover-set': TOKEN, cookie: 'hidden=1' },
    })

    // nginx writes its line after the answer has gone out.
    const written = async (): Promise<string> =>
      (await Promise.all((await logsOf(trial)).map((file) => readFile(file, 'utf8')))).join('')
    for (let tries = 0; tries < 100 && !(await written()).includes('/login'); tries++) await delay(50)
    const logs = await written()
    assert.equal(reply.status, 502)
    assert.match(logs, /\tshop\.b\tpending\t502\t[^?]*\tGET\t\/login\n/)
    assert.doesNotMatch(logs, new RegExp(`hidden|${TOKEN}`))
  })

  test('counts who found the waiting room closed as one request that nobody had to rescue', async (context) => {
    const trial = await start(context)
    const { route } = await trial.service('shop')
    await trial.shape([route])
    await trial.live('held', { shop: { slot: 'a', hold: true } })
    const upload = startUpload(route.port)
    await upload.send('first')
    await pause(50)
    await trial.live('one', { shop: 'a' })

    const reply = await upload.finish('last')

    const { shop } = await trial.traffic(0, Date.now() + 1, 1)
    assert.equal(reply.status, 200)
    assert.match(await readFile(join(trial.root, 'router/access.log'), 'utf8'), /unix:hold\.sock/)
    assert.deepEqual([shop?.requests, shop?.failed, shop?.rescued], [1, 0, 0])
  })

  test('starts its log anew when it is long, and counts both parts', async (context) => {
    const trial = await start(context, { rotateAtBytes: 300 })
    const { route } = await trial.service('shop')
    await trial.shape([route])
    await trial.live('one', { shop: 'a' })
    const requests = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await ask(route.port)
    }
    await requests(10)

    await trial.prune([])
    await requests(1)
    const old = join(trial.root, 'router/access.log.1')
    while (!(await readdir(join(trial.root, 'router'))).includes('access.log')) await requests(1)
    const { shop } = await trial.traffic(0, Date.now() + 1, 11)

    const lines = (await readFile(old, 'utf8')).split('\n').length - 1
    assert.ok(lines >= 10)
    assert.ok((shop?.requests ?? 0) > 10)
  })

  test('forgets shapes that nothing runs with', async (context) => {
    const trial = await start(context)
    const { route } = await trial.service('shop')
    const other = await trial.service('other')
    await trial.shape([other.route])
    await trial.shape([route])
    const shapes = join(trial.root, 'router/shapes')
    while ((await processesOf(trial)).some(({ role }) => role === 'closing')) await pause(10)

    await trial.prune([])

    assert.deepEqual(await readdir(shapes), [(await trial.observe()).shape])
  })
})

async function start(context: TestContext, options: NginxOptions & { readonly folder?: string } = {}): Promise<Trial> {
  const { folder, ...others } = options
  const trial = await startTrial(nginxRouter({ closingMs: 20, ...others }), folder === undefined ? {} : { folder })
  context.after(() => trial.end())
  return trial
}

async function processesOf(trial: Trial): Promise<NginxProcess[]> {
  const script = `${LIST_PROCESSES}list_processes "$1"`
  const { stdout } = await trial.host.run({ program: 'sh', argv: ['-c', script, 'sh', join(trial.root, 'router')] })
  return readProcesses(stdout)
}

async function masterPid(trial: Trial): Promise<number | undefined> {
  return masterOf(await processesOf(trial))?.pid
}

async function logsOf(trial: Trial): Promise<string[]> {
  const folder = join(trial.root, 'router')
  const names = await readdir(folder, { recursive: true })
  return names.filter((name) => name.endsWith('.log')).map((name) => join(folder, name))
}
