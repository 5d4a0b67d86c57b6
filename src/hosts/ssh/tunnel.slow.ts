import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../../problem/problem.ts'
import type { Tunnel } from '../host.ts'
import { kill, labSshd } from './lab-sshd.ts'
import type { LabSshd } from './lab-sshd.ts'

describe('a tunnel through ssh', () => {
  test('connections to a socket of the host come out here, and ports of the host are reached', async (t) => {
    const { tunnel, socket } = await open(t)
    const port = await listenOn(t, 0, 'port')

    const answers = [await said(socket), await said(await tunnel.reach(port)), await said(await tunnel.reach(port))]

    assert.deepEqual(answers, ['here', 'port', 'port'])
  })

  test('takes the place of what is there, and leaves what has taken its own', async (t) => {
    const lab = await labSshd(t)
    const folder = await temporary(t)
    const socket = join(folder, 'a socket')
    await writeFile(socket, 'stale')
    const first = await open(t, { lab, socket })
    const second = await open(t, { lab, socket })

    await first.tunnel.close()
    const answer = await said(socket)
    await second.tunnel.close()

    assert.equal(answer, 'here')
    assert.deepEqual(await readdir(folder), [])
  })

  test('has room for a long path', async (t) => {
    const base = await temporary(t)
    const folder = await mkdtemp(join(base, `${'long-'.repeat(40)}path`))
    const short = join(base, 'short')
    await symlink(folder, short)

    await open(t, { socket: join(folder, 'hold.sock') })

    assert.equal(await said(join(short, 'hold.sock')), 'here')
  })

  test('shut, it lets who has come through go on, and nobody else in', async (t) => {
    const { tunnel, socket } = await open(t, { answer: (client) => client.pipe(client) })
    const early = connect(socket)
    await once(early, 'connect')
    early.write('before ')
    await once(early, 'data')

    await tunnel.shut()
    early.end('after')
    const [rest] = (await once(early, 'data')) as [Buffer]

    assert.equal(rest.toString(), 'after')
    await assert.rejects(stat(socket), { code: 'ENOENT' })
  })

  test('a connection that is lost cuts off who is in it, and comes back by itself', async (t) => {
    const lab = await labSshd(t)
    const { socket } = await open(t, { lab, answer: (client) => client.write('held') })
    const held = connect(socket)
    await once(held, 'data')

    for (const pid of await lab.children()) kill(pid)
    await once(held, 'close')

    for (let polls = 0; polls < 400; polls++) {
      if ((await said(socket)) === 'held') return
      await sleep(50)
    }
    assert.fail('the tunnel did not come back')
  })

  test('a machine that has fallen silent is given up by the host', async (t) => {
    const lab = await labSshd(t)
    const { socket } = await open(t, { lab, answer: (client) => client.write('held') })
    const held = connect(socket)
    await once(held, 'data')

    const masters = await mastersOf(lab)
    for (const pid of masters) process.kill(pid, 'SIGSTOP')
    await once(held, 'close')
    const refused = await said(socket)
    for (const pid of masters) kill(pid)

    assert.ok(masters.length > 0)
    assert.equal(refused, 'ENOENT')
  })

  test('where sshd forwards no sockets, it says so', async (t) => {
    const lab = await labSshd(t, ['AllowStreamLocalForwarding no'])

    const refused = await open(t, { lab }).catch((error: unknown) => error)

    assert.ok(refused instanceof Refusal)
    assert.equal(refused.problems[0]?.code, 'hosts/ssh-forwarding')
    assert.match(refused.problems[0]?.hint ?? '', /AllowStreamLocalForwarding/)
  })

  test('where its folder is not there, it says so', async (t) => {
    const refused = await open(t, { socket: '/nowhere at all/hold.sock' }).catch((error: unknown) => error)

    assert.ok(refused instanceof Refusal)
    assert.match(refused.message, /host web-1, \/nowhere at all: .*there is no such folder/)
  })
})

interface Opened {
  readonly tunnel: Tunnel
  readonly socket: string
}

interface Options {
  readonly lab?: LabSshd
  readonly socket?: string
  /** What this machine's end does with a connection. */
  readonly answer?: (client: Socket) => void
}

async function open(t: TestContext, options: Options = {}): Promise<Opened> {
  const { answer = (client) => client.end('here') } = options
  const lab = options.lab ?? (await labSshd(t))
  const folder = await temporary(t)
  const localSocket = join(folder, 'own: socket')
  await serve(t, createServer(answer), localSocket)
  const { socket = join(folder, 'far.sock') } = options
  const tunnel = await lab.host().tunnel?.({ socket, localSocket })
  assert.ok(tunnel !== undefined)
  return { tunnel, socket }
}

/** What is said first at a socket of this machine, or the code of the error. */
function said(socket: string): Promise<string> {
  return new Promise((resolve) => {
    const client = connect(socket)
    client.once('data', (data) => {
      client.destroy()
      resolve(data.toString())
    })
    client.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'))
    client.once('close', () => resolve('closed'))
  })
}

async function listenOn(t: TestContext, port: number, text: string): Promise<number> {
  const server = createServer((client) => client.end(text))
  await serve(t, server, port)
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return address.port
}

async function serve(t: TestContext, server: Server, place: number | string): Promise<void> {
  const clients: Socket[] = []
  server.on('connection', (client) => clients.push(client.on('error', () => undefined)))
  if (typeof place === 'number') server.listen(place, '127.0.0.1')
  else server.listen(place)
  await once(server, 'listening')
  t.after(() => {
    for (const client of clients) client.destroy()
    server.close()
  })
}

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-tunnel-test-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The processes of ssh that hold the connections open. */
async function mastersOf(lab: LabSshd): Promise<number[]> {
  const pids: number[] = []
  for (const name of await readdir('/proc')) {
    const line = /^\d+$/.test(name) ? await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '') : ''
    if (line.startsWith(`ssh: ${lab.folder}/`)) pids.push(Number(name))
  }
  return pids
}
