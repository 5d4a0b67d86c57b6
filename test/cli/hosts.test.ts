import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { MANIFEST, droverIn, makeRepository, openScene } from './scene.ts'
import type { Result, Scene } from './scene.ts'

let scene: Scene
const closers: (() => Promise<void>)[] = []

before(async () => {
  scene = await openScene({ after: (close) => closers.push(close) })
})
after(() => Promise.all(closers.map((close) => close())))

interface Tree {
  readonly drover: (...words: readonly string[]) => Promise<Result>
  readonly manifest: () => string
  readonly folder: string
}

/** A working tree with these hosts, all of them in production. */
function treeWith(t: { after(work: () => void): void }, ...names: readonly string[]): Tree {
  const hosts = names.map((name) => `  ${name}: drover@${name}\n`).join('')
  const production = `production: { branch: production, hosts: [${names.join(', ')}] }`
  const manifest =
    names.length === 0 ? MANIFEST : `hosts:\n${hosts}${MANIFEST.replace(/production: \{.*\}/, production)}`
  const folder = makeRepository(manifest)
  t.after(() => rmSync(folder, { recursive: true }))
  return {
    folder,
    drover: (...words) => droverIn({ cwd: folder, env: scene.env }, words),
    manifest: () => readFileSync(join(folder, 'drover.yaml'), 'utf8'),
  }
}

describe('drover hosts add', () => {
  it('writes how Drover will log in, once the host has answered an administrator', async (t) => {
    const { drover, manifest } = treeWith(t)

    const { code, stdout, stderr } = await drover('hosts', 'add', 'bare-1', 'admin@10.0.0.1', '--label', 'web', 'edge')

    assert.equal(code, 0, stderr)
    assert.match(manifest(), /^hosts:\n {2}bare-1: \{ ssh: drover@10\.0\.0\.1, labels: \[web, edge\] \}$/m)
    assert.match(stdout, /✓ bare-1 is in drover\.yaml: drover@10\.0\.0\.1\n {2}Debian 12, x86_64, 7\.7 GB free\n/)
    assert.match(stdout, /part of no environment yet[^]*next: drover hosts bootstrap bare-1 --as admin\n/)
  })

  it('takes a person who names the user at their word', async (t) => {
    const { drover, manifest } = treeWith(t)

    await drover('hosts', 'add', 'ready-1', 'drover@10.0.0.1')
    await drover('hosts', 'add', 'ready-2', 'admin@10.0.0.2', '--user', 'deploy', '--port', '2222')
    await drover('hosts', 'add', 'bare-3', 'deploy@10.0.0.3', '--as', 'root')
    await drover('hosts', 'add', 'bare-4', 'alias', '--as', 'root', '--address', '10.0.0.4')

    assert.match(
      manifest(),
      /ready-1: drover@10\.0\.0\.1\n {2}ready-2: \{ ssh: deploy@10\.0\.0\.2, port: 2222 \}\n {2}bare-3: deploy@10\.0\.0\.3\n {2}bare-4: \{ ssh: drover@alias, address: 10\.0\.0\.4 \}\n/,
    )
  })

  it('writes nothing for a host that cannot be reached, is there, or has no possible name', async (t) => {
    const { drover, manifest } = treeWith(t, 'ready-1')
    const text = manifest()

    const away = await drover('hosts', 'add', 'away-1', 'admin@10.0.0.9')
    const twice = await drover('hosts', 'add', 'ready-1', 'admin@10.0.0.1')
    const named = await drover('hosts', 'add', 'Web', 'admin@10.0.0.1')
    const option = await drover('hosts', 'add', 'web', '--', '-oProxyCommand=x')
    const port = await drover('hosts', 'add', 'web', 'admin@10.0.0.1', '--port', '99999')

    assert.deepEqual(
      [away, twice, named, option, port].map(({ code }) => code),
      [3, 3, 2, 2, 2],
    )
    assert.match(away.stderr, /host away-1: admin@10\.0\.0\.9: refuses our keys/)
    assert.match(twice.stderr, /hosts\.ready-1: is in drover\.yaml already/)
    assert.match(named.stderr, /should be a name, got "Web"/)
    assert.match(option.stderr, /should be a destination for ssh/)
    assert.equal(manifest(), text)
  })

  it('works in a manifest whose environments already name the host', async (t) => {
    const { drover, folder, manifest } = treeWith(t)
    writeFileSync(
      join(folder, 'drover.yaml'),
      manifest().replace('branch: production', 'branch: production, hosts: [web]'),
    )

    const { code, stdout } = await drover('hosts', 'add', 'bare-1', 'admin@10.0.0.1', '-l', 'web')

    assert.equal(code, 0)
    assert.match(stdout, /part of production\n/)
  })
})

describe('drover hosts list and check', () => {
  it('show what each host is like, in lines that stand in columns', async (t) => {
    const { drover } = treeWith(t, 'ready-1', 'away-1', 'odd-1')

    const list = await drover('hosts', 'list')
    const staging = await drover('hosts', 'list', 'staging')
    const check = await drover('hosts', 'check')
    const one = await drover('hosts', 'check', 'ready-1')

    assert.equal(list.code, 0)
    assert.match(
      list.stdout,
      /^HOST +LOGIN +ENVIRONMENTS +SYSTEM +HELPER +FREE +STATE\n[^]*ready-1 +drover@ready-1 +production +Debian 12 +1 +7\.7 GB +ready\n[^]*away-1.*refuses our keys\n[^]*odd-1.*lacks systemd\n/,
    )
    assert.match(staging.stdout, /local +this machine/)
    assert.doesNotMatch(staging.stdout, /ready-1/)
    assert.equal(check.code, 3)
    assert.match(check.stdout, /ready-1 .*\n {2}✓ packages {2}none is missing\n {2}✓ user {6}drover, in adm\n/)
    assert.match(check.stdout, /✗ systemd {2}process 1 is tini\n {4}HINT: Boot it/)
    assert.match(check.stdout, /✗ 2 of 4 hosts are ready; `drover hosts bootstrap odd-1` says what can be done\n$/)
    assert.equal(one.code, 0)
    assert.match(one.stdout, /✓ 1 host is ready\n$/)
  })

  it('are documents with --json', async (t) => {
    const { drover } = treeWith(t, 'ready-1', 'away-1')

    const list = await drover('hosts', 'list', '--json')
    const check = await drover('hosts', 'check', 'away-1', '--json')

    const { hosts } = JSON.parse(list.stdout) as { hosts: { name: string; reachable: boolean }[] }
    assert.deepEqual(
      hosts.map(({ name, reachable }) => [name, reachable]),
      [
        ['local', true],
        ['ready-1', true],
        ['away-1', false],
      ],
    )
    assert.equal(check.code, 3)
    assert.equal((JSON.parse(check.stdout) as { ready: boolean }).ready, false)
  })
})

describe('drover hosts bootstrap', () => {
  it('shows the plan, and does nothing before somebody says so', async (t) => {
    const { drover } = treeWith(t, 'bare-10')

    const shown = await drover('hosts', 'bootstrap', 'bare-10', '--as', 'admin')
    const json = await drover('hosts', 'bootstrap', 'bare-10', '--as', 'admin', '--json')

    assert.equal(shown.code, 3)
    assert.match(
      shown.stdout,
      /^bare-10 {2}admin {2}Debian 12, x86_64\n\+ user {2}drover, in adm \(Drover logs in as it\)\n= as it should be: packages\n {2}firewall: /,
    )
    assert.match(shown.stderr, /add --yes to carry this out\nnothing was changed/)
    assert.deepEqual(Object.keys(JSON.parse(json.stdout) as object), ['plans'])
  })

  it('carries it out with --yes, and the second time has nothing to do', async (t) => {
    const { drover } = treeWith(t, 'bare-11', 'bare-12')
    const words = ['hosts', 'bootstrap', 'bare-11', 'bare-12', '--as', 'admin', '--yes']

    const first = await drover(...words)
    const again = await drover(...words)
    const json = await drover(...words, '--json')

    assert.equal(first.code, 0, first.stderr)
    assert.match(
      first.stdout,
      /✓ bare-11 {2}user {6}0\.0 s\n[^]*✓ bare-11 is ready; 1 thing changed\n✓ bare-12 is ready/,
    )
    assert.equal(again.code, 0)
    assert.equal(again.stdout, '✓ bare-11 is ready; nothing was changed\n✓ bare-12 is ready; nothing was changed\n')
    assert.match(
      json.stdout.trimEnd().split('\n').at(-1) ?? '',
      /^\{"hosts":\[\{"host":"bare-11","ready":true,"changed":0,/,
    )
  })

  it('does nothing to any host while one of them stands in its own way', async (t) => {
    const { drover } = treeWith(t, 'bare-13', 'odd-1', 'away-1')

    const odd = await drover('hosts', 'bootstrap', 'bare-13', 'odd-1', '--as', 'admin', '--yes')
    const away = await drover('hosts', 'bootstrap', 'bare-13', 'away-1', '--as', 'admin', '--yes')
    const after = await drover('hosts', 'check', 'bare-13', '--as', 'admin')

    assert.deepEqual([odd.code, away.code, after.code], [3, 3, 3])
    assert.match(
      odd.stdout,
      /! systemd {2}process 1 is tini\n {2}HINT: [^]*✗ odd-1 cannot be made ready; nothing was changed/,
    )
    assert.match(away.stderr, /host away-1: did not answer in time/)
  })

  const mistakes: [words: string[], complaint: RegExp][] = [
    [['bootstrap'], /missing required argument/],
    [['bootstrap', 'redy-1'], /there is no host "redy-1" in drover\.yaml\n {2}HINT: Did you mean ready-1\?/],
    [['bootstrap', 'ready-1', 'ready-2', '--as', 'admin@10.0.0.1'], /names one address for several hosts/],
    [['bootstrap', 'ready-1', '--key', 'nothing.pub'], /nothing\.pub cannot be read/],
    [['bootstrap', 'ready-1', '--key', 'private'], /is a private key/],
    [['check', 'nobody'], /There are local, ready-1, ready-2\./],
    [['lst'], /unknown command 'lst'\n {2}HINT: Did you mean list\?/],
  ]
  for (const [words, complaint] of mistakes) {
    it(`is not misled by: drover hosts ${words.join(' ')}`, async (t) => {
      const { drover, folder } = treeWith(t, 'ready-1', 'ready-2')
      writeFileSync(join(folder, 'private'), '-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n')

      const { code, stdout, stderr } = await drover('hosts', ...words)

      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.match(stderr, complaint)
      assert.doesNotMatch(stderr, /hunter2/)
    })
  }
})
