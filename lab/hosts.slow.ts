import assert from 'node:assert/strict'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { LabHost } from './lab-host.ts'
import { openLab } from './lab.ts'
import type { Lab } from './lab.ts'
import { answerOf, login, startLogin } from './login.ts'
import { labSkip } from './needs.ts'
import { run } from './shell.ts'
import { tracesOf } from './traces.ts'

const skip = await labSkip()

describe('hosts of the lab', { skip }, () => {
  let lab: Lab
  let first: LabHost
  let second: LabHost

  before(async () => {
    lab = await openLab({ hosts: 2, say: (line) => process.stderr.write(`${line}\n`) })
    ;[first, second] = lab.hosts as [LabHost, LabHost]
  })
  after(() => lab?.close())

  it('have a systemd that runs, and a sudo user with a key', async () => {
    const answer = await login(first, 'systemctl is-system-running; systemctl is-active nginx; sudo id -u; hostname')

    assert.deepEqual(answer.stdout.split('\n'), ['running', 'active', '0', 'h1', ''], answer.stderr)
  })

  it('keep the limits of a unit', async () => {
    const greedy = `sudo systemd-run --quiet --wait -p MemoryMax=50M python3 -c 'bytearray(200 << 20)'`
    const modest = `sudo systemd-run --quiet --wait -p MemoryMax=50M python3 -c 'bytearray(2 << 20)'`

    const answers = [await login(first, greedy), await login(first, modest)]

    assert.deepEqual(
      answers.map(({ exitCode }) => exitCode === 0),
      [false, true],
    )
  })

  it('reach each other and nothing else', async () => {
    const elsewhere = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ family, internal, address }) => family === 'IPv4' && !internal && address !== lab.address)
      .map(({ address }) => `${address}/22`)
    const places = [`${second.address}/22`, `${second.address}/80`, '192.0.2.1/80', ...elsewhere]

    const lines = places.map((place) => `timeout 3 bash -c '</dev/tcp/${place}' 2>/dev/null && echo yes || echo no`)
    const reached = await login(first, lines.join('\n'))
    const name = await login(first, 'getent hosts example.org')
    const routes = await login(first, 'ip route')

    assert.deepEqual(reached.stdout.trim().split('\n'), ['yes', 'yes', 'no', ...elsewhere.map(() => 'no')])
    assert.equal(name.exitCode, 2)
    assert.doesNotMatch(routes.stdout, /default/)
  })

  it('fall silent when the network is cut, and connections go on when it heals', async (t) => {
    const open = startLogin(first, 'echo ready; read -r line; echo "got $line"')
    t.after(() => open.kill('SIGKILL'))
    await once(open.stdout, 'data')
    const answer = answerOf(open)

    await first.networkCut()
    open.stdin.write('a line\n')
    const during = await login(first, 'true')
    const other = await login(second, 'true')
    const state = await first.state()
    await first.networkHeal()
    const afterwards = await login(first, 'true')

    assert.equal(during.exitCode, 255)
    assert.match(during.stderr, /timed out/)
    assert.equal(other.exitCode, 0, 'the other host is not cut off')
    assert.deepEqual(state, { power: 'on', network: 'cut' })
    assert.equal(afterwards.exitCode, 0, afterwards.stderr)
    assert.match((await answer).stdout, /got a line/)
  })

  it('lose with the power what was not synced, and nothing else', async (t) => {
    await login(first, 'echo kept >kept; sync; echo lost >lost; sudo systemd-run --quiet --unit=busy sleep 600')
    const open = startLogin(first, 'echo ready; sleep 600')
    t.after(() => open.kill('SIGKILL'))
    await once(open.stdout, 'data')

    await first.powerCut()
    const off = await first.state()
    const loops = await run('losetup', ['--noheadings', '--list', '--output', 'BACK-FILE'])
    const during = await login(first, 'true')
    await first.powerOn()
    const after = await login(
      first,
      'cat kept; cat lost 2>/dev/null; systemctl is-active busy; systemctl is-system-running',
    )

    assert.equal(off.power, 'off')
    assert.ok(!loops.includes(dirname(first.ssh.knownHostsFile)), 'its disk is still in use')
    assert.match(during.stderr, /timed out/)
    assert.equal(open.exitCode, null, 'nobody told the client that the host is gone')
    assert.deepEqual(after.stdout.split('\n'), ['kept', 'inactive', 'running', ''])
  })

  it('have a disk that can be full', async () => {
    await second.fillDisk(64 * 1024)
    const full = await login(second, 'head -c 1M /dev/zero >big')
    await second.freeDisk()
    const free = await login(second, 'head -c 1M /dev/zero >big && sync')

    assert.notEqual(full.exitCode, 0)
    assert.match(full.stderr, /No space left on device/)
    assert.equal(free.exitCode, 0, free.stderr)
  })

  it('have a line that can be slow', async () => {
    const connect = `python3 -c 'import socket, time
start = time.monotonic()
socket.create_connection(("${first.address}", 22))
print(time.monotonic() - start)'`

    await first.slowLine({ delayMs: 150, kbps: 2000 })
    const slow = await login(second, connect)
    const bulk = await login(first, 'head -c 300000 /dev/zero')
    await first.slowLine()
    const fast = await login(second, 'true')

    assert.ok(Number(slow.stdout) >= 0.3, `there and back in ${slow.stdout.trim()} s, over a line of 150 ms each way`)
    assert.equal(bulk.stdout.length, 300_000)
    assert.equal(fast.exitCode, 0)
  })

  it('stay cut off when their line becomes slow, and fast again', async () => {
    await second.networkCut()
    await second.slowLine({ delayMs: 10 })
    const slow = await second.state()
    await second.slowLine()
    const fast = await second.state()
    await second.networkHeal()
    const healed = await login(second, 'true')

    assert.deepEqual([slow.network, fast.network], ['cut', 'cut'])
    assert.equal(healed.exitCode, 0, healed.stderr)
  })

  it('take with them what was left running inside', async () => {
    await second.inside(['sh', '-c', 'sleep 7654 >/dev/null 2>&1 &'])
    const before = await second.inside(['pgrep', '-fx', 'sleep 7654'])
    await second.powerCut()
    const left = (await run('pgrep', ['-fx', 'sleep 7654']).catch(() => '')).trim()
    await second.powerOn()

    assert.match(before, /^\d+\n$/)
    assert.equal(left, '')
  })

  it('are bare again after a reset, with the same keys', async () => {
    await login(second, 'sudo touch /etc/changed /opt/changed; sudo rm /etc/nginx/nginx.conf; sync')

    await second.reset()
    const answer = await login(second, 'ls /etc/changed /opt/changed /etc/nginx/nginx.conf 2>/dev/null')

    assert.equal(answer.stdout, '/etc/nginx/nginx.conf\n')
  })

  it('leave nothing behind', async () => {
    const owner = String(process.pid)
    const before = await tracesOf(owner)

    await lab.close()

    assert.ok(before.length > 10, before.join('\n'))
    assert.deepEqual(await tracesOf(owner), [])
  })
})
