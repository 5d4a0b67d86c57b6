import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { LabHost } from '../../lab/lab-host.ts'
import { labSkip } from '../../lab/needs.ts'
import { Refusal } from '../problem/problem.ts'
import { declared, openBootstrapBench } from './bootstrap-bench.ts'
import type { BootstrapBench } from './bootstrap-bench.ts'
import type { BootstrapEvent } from './host-operations.ts'

let bench: BootstrapBench

/** As the deploy user of the host, past the network. */
function asDrover(host: LabHost, line: string): Promise<string> {
  return host.inside(['runuser', '-u', 'drover', '--', 'sh', '-c', line])
}

describe('bootstrap', { skip: await labSkip() }, () => {
  before(async () => {
    bench = await openBootstrapBench(2)
  })
  after(() => bench?.close())

  it('takes a bare host to ready, and then leaves it alone', async () => {
    const { operations } = bench
    const first = bench.hosts[0]!

    const before = await operations.look(declared(first), { asRoot: true })
    const events = await Array.fromAsync(bench.bootstrap(first))
    const again = await Array.fromAsync(bench.bootstrap(first))
    const itself = await Array.fromAsync(
      operations.bootstrap({ host: declared(first), keys: [] }, new AbortController().signal),
    )
    const report = await operations.look(declared(first), {})

    assert.equal(before.reachable, false)
    assert.match(before.problems[0]?.hint ?? '', /drover hosts bootstrap h1 --as/)
    assert.deepEqual(
      events.filter(({ kind }) => kind === 'done').map((event) => ('item' in event ? event.item : '')),
      ['user', 'key', 'services', 'folders', 'roots', 'helper', 'sudo', 'node', 'nginx', 'journal', 'login'],
    )
    for (const second of [again, itself]) {
      assert.deepEqual(second.at(-1), { kind: 'ended', changed: 0 })
    }
    assert.deepEqual([report.ready, report.login?.user, report.login?.admin], [true, 'drover', false])
    assert.match(report.os ?? '', /^Debian/)
  })

  it('gives the deploy user what it needs, and root through the helper alone', async () => {
    const first = bench.hosts[0]!

    const said = await asDrover(
      first,
      `sudo -n true 2>&1; sudo -n sh -c id 2>&1; sudo -n /usr/local/sbin/drover-host version
      /usr/local/lib/drover/node/bin/node --version; mkdir /srv/drover/x /opt/pakashop/x && rmdir /srv/drover/x && echo owned
      id -nG; journalctl -n 1 -q >/dev/null && echo reads`,
    )
    const nginx = await first.inside(['nginx', '-T'])

    assert.match(said, /password is required\n[^]*password is required\ndrover-host \d+ /)
    assert.ok(said.includes(`${process.version}\nowned\n`), said)
    assert.match(said, /\badm\b.*systemd-journal|systemd-journal.*\badm\b/)
    assert.match(said, /reads\n$/)
    assert.match(nginx, /upstream pakashop-production-gateway \{ server 127\.0\.0\.1:8000; keepalive 16; \}/)
  })

  it('puts right what a person has altered, and nothing else', async () => {
    const first = bench.hosts[0]!
    await first.inside([
      'sh',
      '-c',
      'echo "# mine" >>/usr/local/sbin/drover-host; chmod 777 /usr/local/sbin/drover-host',
    ])
    await first.inside(['sh', '-c', 'echo "drover ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/drover'])
    await first.inside(['sh', '-c', 'rm /home/drover/.ssh/authorized_keys; gpasswd -d drover adm'])
    await first.inside(['sh', '-c', 'echo broken >/etc/nginx/conf.d/drover.conf'])

    const found = await bench.lacking(first)
    const events = await Array.fromAsync(bench.bootstrap(first))

    assert.deepEqual(found, ['user', 'key', 'helper', 'sudo', 'nginx'])
    assert.deepEqual(events.at(-1), { kind: 'ended', changed: 5 })
    assert.match(await first.inside(['stat', '-c', '%U:%G %a', '/usr/local/sbin/drover-host']), /^root:root 755$/m)
    assert.match(await asDrover(first, 'sudo -n true 2>&1; true'), /password is required/)
    assert.deepEqual(await bench.lacking(first), [])
  })

  it('is carried on by the next one wherever it was cut off', async () => {
    const second = bench.hosts[1]!
    const items = ['user', 'key', 'folders', 'sudo', 'node', 'nginx']
    for (const [index, item] of items.entries()) {
      const stop = new AbortController()
      // A little later for each: before, in the middle of and after what the item does.
      const cut = runUntil(bench.bootstrap(second, stop), item, () => setTimeout(() => stop.abort(), index * 12))
      await cut.catch((error: unknown) => assert.ok(error instanceof Refusal, String(error)))
    }
    await second.inside(['rm', '-rf', '/usr/local/lib/drover'])
    const dying = runUntil(bench.bootstrap(second), 'node', () => void second.powerCut())
    await assert.rejects(dying, Refusal)
    await second.powerOn()

    const events = await Array.fromAsync(bench.bootstrap(second))

    assert.equal(events.at(-1)?.kind, 'ended')
    assert.deepEqual(await bench.lacking(second), [])
    await second.inside(['visudo', '-c'])
    await second.inside(['nginx', '-t'])
  })
})

/** Goes on to the end, and calls back when an item begins. */
async function runUntil(events: AsyncIterable<BootstrapEvent>, item: string, callback: () => void): Promise<void> {
  for await (const event of events) {
    if (event.kind === 'begin' && event.item === item) callback()
  }
}
