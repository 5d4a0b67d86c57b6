import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync, chmodSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { Refusal } from '../problem/problem.ts'
import { ensureToken, homeFolder, homeIn, readAddress, readToken } from './home.ts'
import type { Home, ServerAddress } from './home.ts'
import { lockHome } from './lock.ts'
import { runServer } from './run.ts'
import { serve } from './serve.ts'
import { testingControlPlane } from './testing-control-plane.ts'
import { testingHostOperations } from './testing-host-operations.ts'

let folder: string
let home: Home

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drover-home-'))
  home = homeIn(folder)
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Runs a server until the test ends; resolves once it answers. */
async function running(
  port = 0,
): Promise<{ address: ServerAddress; crashed: boolean; ended: Promise<void>; stop: () => void }> {
  const stop = new AbortController()
  const { promise: ready, resolve } = Promise.withResolvers<{ address: ServerAddress; crashed: boolean }>()
  const controlPlane = testingControlPlane()
  const ended = runServer({
    home,
    host: '127.0.0.1',
    port,
    version: '0.1.0',
    open: async () => ({
      controlPlane,
      hostOperations: testingHostOperations(),
      health: async () => ({ ok: true }),
      close: () => controlPlane.close(),
    }),
    signal: stop.signal,
    ready: (address, crashed) => resolve({ address, crashed }),
    log: () => {},
  })
  after(async () => {
    stop.abort()
    await ended.catch(() => {})
  })
  const started = await Promise.race([ready, ended.then(() => assert.fail('it ended'))])
  return { ...started, ended, stop: () => stop.abort() }
}

async function refusalOf(work: Promise<unknown>): Promise<string> {
  const error: unknown = await work.then(
    () => assert.fail('nothing was refused'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof Refusal, String(error))
  return error.problems[0]!.code
}

describe('a server', () => {
  it('says where it answers while it runs, and no longer', async () => {
    const server = await running()
    const token = await readToken(home)

    const health = await fetch(`${server.address.url}/v1/health`)
    const said = await readAddress(home)
    server.stop()
    await server.ended

    assert.equal(health.status, 200)
    assert.deepEqual(said, server.address)
    assert.equal(said?.pid, process.pid)
    assert.equal(statSync(home.token).mode & 0o777, 0o600)
    assert.equal(token?.open().length, 43)
    assert.equal(await readAddress(home), undefined)
    await assert.rejects(fetch(`${server.address.url}/v1/health`))
  })

  it('ends when a client shuts it down, and cuts the streams that are open', async () => {
    const server = await running()
    const headers = { authorization: `Bearer ${(await readToken(home))!.open()}` }
    const staging = `${server.address.url}/v1/fleets/pakashop/environments/staging`
    const body = JSON.stringify({ order: { goal: 'deploy', repository: '/srv/x', ref: 'endless' }, actor: 'anna' })
    await fetch(`${staging}/releases`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
    })
    const stream = await fetch(`${staging}/releases/1/events`, { headers })
    const read = stream.text()

    const response = await fetch(`${server.address.url}/v1/shutdown`, { method: 'POST', headers })
    await server.ended

    assert.equal(response.status, 202)
    assert.doesNotMatch(await read, /event: ended/)
  })

  it('refuses a home that another one serves', async () => {
    const server = await running()

    const code = await refusalOf(
      runServer({ ...unusedOptions(), home: homeIn(`${folder}/../${folder.split('/').pop()}`) }),
    )

    assert.equal(code, 'server/home-in-use')
    assert.deepEqual(await readAddress(home), server.address)
  })

  it('knows that the one before it crashed', async () => {
    writeFileSync(
      home.address,
      JSON.stringify({ url: 'http://127.0.0.1:1', pid: 4_194_303, startedAt: 1, version: '0.0.1' }),
    )

    const server = await running()

    assert.equal(server.crashed, true)
  })

  it('lets go of everything when its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    after(() => other.close())
    const address = other.address()
    assert.ok(address !== null && typeof address === 'object')

    const code = await refusalOf(running(address.port))
    const again = await running()

    assert.equal(code, 'server/port-taken')
    assert.match(again.address.url, /^http:\/\/127\.0\.0\.1:\d+$/)
  })
})

describe('serve', () => {
  it('refuses every address that others can reach', async () => {
    const app = { fetch: () => new Response('') }

    for (const host of ['0.0.0.0', '::', '192.168.1.7', 'drover.example.com', '127.0.0.1.example.com']) {
      assert.equal(await refusalOf(serve({ app, host })), 'server/not-loopback', host)
    }
  })
})

describe('a home', () => {
  it('is where the environment says, else where data of its user lies', () => {
    assert.equal(homeFolder({ DROVER_HOME: '/srv/drover' }, 0), '/srv/drover')
    assert.equal(homeFolder({}, 0), '/var/lib/drover')
    assert.equal(homeFolder({ XDG_DATA_HOME: '/data' }, 1000), '/data/drover')
    assert.match(homeFolder({}, 1000), /\/\.local\/share\/drover$/)
  })

  it('makes its token once, whoever asks first', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, () => ensureToken(home)))

    assert.equal(new Set(tokens.map((token) => token.open())).size, 1)
    assert.equal(readFileSync(home.token, 'utf8').trim(), tokens[0]?.open())
  })

  it('refuses a token that others can read', async () => {
    await ensureToken(home)
    chmodSync(home.token, 0o644)

    assert.equal(await refusalOf(ensureToken(home)), 'server/token-readable')
  })

  it('takes what it did not write for nothing', async () => {
    for (const text of ['', '{', '[]', 'null', '{"url":1}', '{"url":"http://x","pid":"1"}']) {
      writeFileSync(home.address, text)

      assert.equal(await readAddress(home), undefined, text)
    }
  })

  it('that cannot be a folder is refused', async () => {
    writeFileSync(join(folder, 'file'), '')

    assert.equal(await refusalOf(lockHome(homeIn(join(folder, 'file', 'home')))), 'server/home-unusable')
  })
})

describe('the lock of a home', () => {
  it('is the same under every name of the folder', async () => {
    symlinkSync(folder, `${folder}-link`)
    after(() => rmSync(`${folder}-link`))
    const lock = await lockHome(home)

    const code = await refusalOf(lockHome(homeIn(`${folder}-link`)))
    await lock.release()
    const next = await lockHome(homeIn(`${folder}-link`))
    await next.release()

    assert.equal(code, 'server/home-in-use')
  })

  it('is gone with a process that was killed', async () => {
    const script = `import { lockHome } from ${JSON.stringify(import.meta.resolve('./lock.ts'))}
      import { homeIn } from ${JSON.stringify(import.meta.resolve('./home.ts'))}
      await lockHome(homeIn(${JSON.stringify(folder)}))
      console.log('locked')
      setInterval(() => {}, 1000)`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(holder.stdout, 'data')
    const code = await refusalOf(lockHome(home))

    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const lock = await lockHome(home)
    await lock.release()

    assert.equal(code, 'server/home-in-use')
  })
})

function unusedOptions(): Parameters<typeof runServer>[0] {
  const never = (): never => assert.fail('must not be reached')
  return {
    home,
    host: '127.0.0.1',
    port: 0,
    version: '0',
    open: never,
    signal: new AbortController().signal,
    ready: never,
    log: never,
  }
}
