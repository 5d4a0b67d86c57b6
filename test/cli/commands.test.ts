import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { cleanEnvironment, droverIn, ended, makeRepository, openScene } from './scene.ts'
import type { Scene } from './scene.ts'

let scene: Scene

const closers: (() => Promise<void>)[] = []

before(async () => {
  scene = await openScene({ after: (close) => closers.push(close) })
})

after(() => Promise.all(closers.map((close) => close())))

function parsed(stdout: string): Record<string, unknown> {
  const lines = stdout.trimEnd().split('\n')
  assert.equal(lines.length, 1, stdout)
  return JSON.parse(lines[0]!)
}

describe('hosts that are away', () => {
  it('are left out, told of in every list, and healed', async (t) => {
    const { drover } = await openScene(t)

    const deploy = await drover('deploy', 'staging', '--without', 'web-1,web-2', '--without', 'web-3', '--detach')
    const list = await drover('releases', 'staging')
    const heal = await drover('hosts', 'heal', 'staging', 'web-1')
    const healed = await drover('release', 'staging', '--json')
    await drover('deploy', 'staging', '--ref', 'one')
    const back = await drover('rollback', 'staging', '1', '--without', 'web-2')
    const nobody = await drover('hosts', 'heal', 'staging')

    assert.equal(deploy.code, 0, deploy.stderr)
    assert.match(list.stdout, /\(without web-1, web-2, web-3\)/)
    assert.match(heal.stdout, /host web-1 of pakashop\/staging runs what is live already\n/)
    assert.deepEqual([parsed(healed.stdout)['goal'], parsed(healed.stdout)['host']], ['heal', 'web-1'])
    assert.match(back.stdout, /once web-2 is back: {2}drover hosts heal staging web-2/)
    assert.equal(nobody.code, 2)
    assert.match(nobody.stderr, /drover hosts heal: needs the name of a host/)
  })
})

describe('a release from the command line', () => {
  it('is planned, made, changed, shown and taken back', async () => {
    const { drover } = scene

    const planned = await drover('plan', 'staging', '--detailed-exitcode')
    const first = await drover('deploy', 'staging', '--reason', 'the first')
    const same = await drover('plan', 'staging', '--detailed-exitcode')
    const unchanged = await drover('deploy', 'staging', '--ref', 'same')
    const second = await drover('deploy', 'staging', '--ref', 'one')
    const status = await drover('status', 'staging')
    const list = await drover('releases', 'staging', '-n', '2')
    const shown = await drover('release', 'staging')
    const back = await drover('rollback', 'staging', '1', '--reason', 'coupons are wrong')

    assert.equal(planned.code, 6)
    assert.match(planned.stdout, /^\+ backend {2}not live yet\n/)
    assert.match(planned.stdout, /\+ 3 to add, ~ 0 to change, - 0 to remove, = 0 unchanged\nplan [0-9a-f]{64}\n/)
    assert.equal(first.code, 0)
    assert.match(first.stdout, /^release 1 of pakashop\/staging, asked for by anna\n\[ +0\.\ds\] source\n/)
    assert.match(
      first.stdout,
      /backend: building\n[^]*backend: ready after 0\.0 s\n[^]*✓ release 1 of pakashop\/staging is live/,
    )
    assert.equal(same.code, 0)
    assert.match(same.stdout, /nothing changed: pakashop\/staging runs exactly this already/)
    assert.equal(unchanged.code, 0)
    assert.match(unchanged.stdout, /= nothing changed/)
    assert.equal(second.code, 0)
    assert.match(second.stdout, /1 new or changed, 2 untouched/)
    assert.match(status.stdout, /pakashop\/staging {2}#3 is live[^]*backend +ready +#3/)
    assert.match(list.stdout, /#3 {2}kept +\(live\)[^]*#2 {2}unchanged/)
    assert.match(shown.stdout, /pakashop\/staging #3 {2}\(live\)\n[^]*commit +3f9c2a1[^]*~ backend/)
    assert.equal(back.code, 0)
    assert.match(back.stdout, /release 4 of pakashop\/staging is live/)
    assert.equal(
      [planned, first, same, unchanged, second, status, list, shown, back].map(({ stderr }) => stderr).join(''),
      '',
    )
  })

  const endings = [
    ['main', 0, /is live/],
    [
      'refused',
      3,
      /✗ release \d+ of pakashop\/production is refused; nothing was changed[^]*HINT: Free some space[^]*is frozen/,
    ],
    ['never-ready', 4, /failed; what was live before is live[^]*ECONNREFUSED[^]*look: {2}drover release production/],
    ['broken', 5, /hands are needed/],
  ] as const
  for (const [ref, code, words] of endings) {
    it(`that meets ${ref} ends with ${code}`, async () => {
      const result = await scene.drover('deploy', 'production', '--ref', ref)

      assert.equal(result.code, code)
      assert.match(result.stdout, words)
    })
  }

  it('is left to itself with --detach, and cancelled by name', async () => {
    const asked = await scene.drover('deploy', 'production', '--ref', 'endless', '--detach')
    const queued = await scene.drover('deploy', 'production', '--detach', '--json')
    const shown = await scene.drover('status', 'production')
    const cancelled = await scene.drover('cancel', 'production')
    const again = await scene.drover('cancel', 'production', '1')

    const number = Number(/release (\d+)/.exec(asked.stdout)?.[1])
    assert.equal(asked.code, 0)
    assert.match(asked.stdout, new RegExp(`drover release production ${number} --follow`))
    assert.deepEqual(Object.keys(parsed(queued.stdout)), ['release'])
    assert.match(shown.stdout, new RegExp(`#${number} by anna is under way`))
    assert.equal(cancelled.code, 0)
    assert.match(
      cancelled.stdout,
      new RegExp(`release ${number} of pakashop/production is cancelled; what was live before is live`),
    )
    assert.equal(again.code, 3)
    assert.match(again.stderr, /release 1: has ended already/)
  })

  it('is held to the plan that was shown', async () => {
    const result = await scene.drover('deploy', 'staging', '--plan', 'deadbeefdeadbeef')

    assert.equal(result.code, 3)
    assert.match(result.stderr, /the plan is no longer the one that was shown\n {2}HINT: Run `drover plan` again\./)
  })
})

describe('--json', () => {
  it('gives one document, or a line for each thing that goes on', async () => {
    const { drover } = scene
    const documents = [
      ['plan', 'staging'],
      ['plan', 'staging', '--steps'],
      ['status'],
      ['status', 'staging'],
      ['releases', 'staging'],
      ['release', 'staging', '1'],
      ['check'],
      ['docs', 'services'],
      ['schema'],
      ['graph'],
      ['completion', 'bash'],
    ]
    for (const words of documents) {
      const { code, stdout, stderr } = await drover(...words, '--json')

      assert.equal(code, 0, words.join(' '))
      assert.equal(stderr, '')
      assert.equal(typeof parsed(stdout), 'object')
    }
    const deploy = await drover('deploy', 'staging', '--ref', 'main', '--json')
    const logs = await drover('logs', 'staging', 'config', '-n', '2', '--json')

    const lines = deploy.stdout
      .trimEnd()
      .split('\n')
      .map((line) => Object.keys(JSON.parse(line)).join())
    assert.deepEqual(new Set(lines.slice(0, -1)), new Set(['event']))
    assert.equal(lines.at(-1), 'release')
    assert.deepEqual(JSON.parse(logs.stdout.split('\n')[0]!), {
      host: 'local',
      service: 'config',
      slot: 'a',
      line: 'config says 2',
    })
  })

  it('tells errors as a document too', async () => {
    const cases: [words: string[], code: number, outcome: string][] = [
      [['release', 'staging', '999'], 3, 'refused'],
      [['release', 'staging', 'x'], 2, 'usage'],
      [['depoly'], 2, 'usage'],
      [['plan'], 2, 'usage'],
    ]
    for (const [words, code, outcome] of cases) {
      const result = await scene.drover(...words, '--json')

      assert.equal(result.code, code, words.join(' '))
      assert.equal(result.stderr, '')
      assert.equal(parsed(result.stdout)['outcome'], outcome)
    }
  })
})

describe('usage', () => {
  const mistakes: [words: string[], complaint: RegExp][] = [
    [['depoly'], /unknown command 'depoly'\n {2}HINT: Did you mean deploy\?/],
    [['deploy', '--frce'], /unknown option '--frce'/],
    [['deploy'], /environment: is missing\n {2}HINT: Name one of staging, production\./],
    [['deploy', 'stagign'], /there is no environment "stagign"\n {2}HINT: Did you mean staging\?/],
    [['deploy', 'staging', '-e', 'production'], /staging as an argument and production with -e/],
    [['releases', 'staging', '-n', '0'], /--number: should be a whole number from 1 to 1000, got "0"/],
    [['logs', 'staging', '-n', 'all'], /--lines: should be a whole number/],
    [['teardown', 'staging'], /Add --yes/],
    [['completion', 'csh'], /does not know the shell "csh"/],
    [['check', 'nothing.yaml'], /nothing\.yaml: cannot be read: ENOENT/],
    [['docs', 'sevices'], /Did you mean services\?/],
    [['serve', '--port', '99999'], /--port: should be a port/],
  ]
  for (const [words, complaint] of mistakes) {
    it(`drover ${words.join(' ')}`, async () => {
      const { code, stdout, stderr } = await scene.drover(...words)

      assert.ok(code === 2 || (words[0] === 'docs' && code === 3), String(code))
      assert.equal(stdout, '')
      assert.match(stderr, complaint)
    })
  }

  it('of the control plane elsewhere', async () => {
    const place = { cwd: scene.repository, env: { ...scene.env, DROVER_TOKEN: 'wrong' } }
    const { DROVER_TOKEN: _token, ...without } = scene.env

    const wrong = await droverIn(place, ['status'])
    const missing = await droverIn({ ...place, env: without }, ['status'])
    const odd = await droverIn({ ...place, env: { ...place.env, DROVER_URL: 'staging' } }, ['status'])
    const away = await droverIn({ ...place, env: { ...place.env, DROVER_URL: 'http://127.0.0.1:1' } }, ['status'])

    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /the token is wrong/)
    assert.equal(missing.code, 2)
    assert.match(missing.stderr, /DROVER_TOKEN: is not set/)
    assert.equal(odd.code, 2)
    assert.match(odd.stderr, /DROVER_URL: should be a URL/)
    assert.equal(away.code, 1)
    assert.match(away.stderr, /the control plane at http:\/\/127\.0\.0\.1:1 does not answer/)
  })
})

describe('the manifest', () => {
  it('with faults is told at once, with line and column, and stands in the way of a deploy only', async () => {
    const broken = makeRepository('fleet: pakashop\nenviroments: {}\nservices:\n  backend: { port: 80a }\n')
    after(() => rmSync(broken, { recursive: true }))
    const place = { cwd: broken, env: scene.env }

    const check = await droverIn(place, ['check'])
    const deploy = await droverIn(place, ['deploy', 'staging'])
    const status = await droverIn(place, ['releases', 'staging'])

    assert.equal(check.code, 2)
    assert.match(
      check.stdout,
      /✗ drover\.yaml:2:1 [^]*environments[^]*✗ drover\.yaml:4:20 services\.backend\.port[^]*\d problems\n$/,
    )
    assert.equal(deploy.code, 2)
    assert.match(deploy.stderr, /drover\.yaml:4:20 /)
    assert.equal(status.code, 0)
  })

  it('is found from a folder below, and named from there', async () => {
    const check = await droverIn({ cwd: join(scene.repository, 'services', 'backend'), env: scene.env }, ['check'])
    const graph = await droverIn({ cwd: tmpdir(), env: scene.env }, [
      'graph',
      '-c',
      join(scene.repository, 'drover.yaml'),
    ])

    assert.equal(check.stdout, '✓ ../../drover.yaml: fleet pakashop, 3 services, 2 environments\n')
    assert.match(graph.stdout, /^tier 1, at once\n {2}config/)
  })

  it('that is not there is missed by what needs it; the control plane knows the rest', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'drover-cli-empty-'))
    after(() => rmSync(empty, { recursive: true }))

    const check = await droverIn({ cwd: empty, env: scene.env }, ['check'])
    const status = await droverIn({ cwd: empty, env: scene.env }, ['status', 'staging'])

    assert.equal(check.code, 2)
    assert.match(check.stderr, /has no drover\.yaml, nor has a folder above it\n {2}HINT: `drover init`/)
    assert.equal(status.code, 0)
  })

  it('is drafted, and never replaced by accident', async () => {
    const folder = makeRepository()
    after(() => rmSync(folder, { recursive: true }))
    const place = { cwd: folder, env: scene.env }

    const refused = await droverIn(place, ['init'])
    const kept = readFileSync(join(folder, 'drover.yaml'), 'utf8')
    const forced = await droverIn(place, ['init', '--force'])
    const check = await droverIn(place, ['check'])

    assert.equal(refused.code, 3)
    assert.match(refused.stderr, /drover\.yaml: is there already\n {2}HINT: `drover init --force`/)
    assert.match(kept, /^fleet: pakashop/)
    assert.equal(forced.code, 0)
    assert.match(forced.stdout, /✓ wrote drover\.yaml/)
    assert.equal(check.code, 0, check.stdout)
  })

  it('outside a git repository is told so', async () => {
    const folder = makeRepository()
    after(() => rmSync(folder, { recursive: true }))
    rmSync(join(folder, '.git'), { recursive: true })

    const { code, stderr } = await droverIn({ cwd: folder, env: scene.env }, ['plan', 'staging'])

    assert.equal(code, 2)
    assert.match(stderr, /does not lie in a git repository/)
  })
})

describe('logs', () => {
  it('have the name of their service in front', async () => {
    const { code, stdout } = await scene.drover('logs', 'staging', 'config', 'backend', '-n', '1')

    assert.equal(code, 0)
    assert.equal(stdout, 'config.a │ config says 1\nbackend.a │ backend says 1\n')
  })

  it('of a service that does not exist are refused', async () => {
    const { code, stderr } = await scene.drover('logs', 'staging', 'confg')

    assert.equal(code, 3)
    assert.match(stderr, /service confg: is not in the fleet/)
  })
})

describe('completion', () => {
  it('knows commands, options, environments and shells', async () => {
    const complete = async (...words: string[]): Promise<string[]> =>
      (await scene.drover('complete', '--', ...words)).stdout.split('\n').filter(Boolean)

    assert.deepEqual(await complete('re'), ['release', 'releases'])
    assert.deepEqual(await complete('deploy', ''), ['production', 'staging'])
    assert.deepEqual(await complete('deploy', '-e', 'st'), ['staging'])
    assert.deepEqual(await complete('deploy', '--re'), ['--reason', '--ref'])
    assert.deepEqual(await complete('completion', ''), ['bash', 'fish', 'zsh'])
    assert.deepEqual(await complete('deploy', 'staging', ''), [])
  })
})

describe('as a process', () => {
  it('says how it ended to the shell', async () => {
    const [failed, misspelt] = await Promise.all([
      ended(scene.process(['deploy', 'staging', '--ref', 'never-ready'])),
      ended(scene.process(['depoly', '--json'])),
    ])

    assert.equal(failed.code, 4)
    assert.equal(misspelt.code, 2)
    assert.equal(parsed(misspelt.stdout)['outcome'], 'usage')
  })

  it('ends quietly when nobody reads on', async () => {
    const child = scene.process(['logs', 'staging', '-n', '2000', '--json'])
    child.stdout?.once('data', () => child.stdout?.destroy())

    const [[code], complaints] = await Promise.all([once(child, 'exit'), child.stderr?.toArray()])

    assert.equal(code, 0)
    assert.deepEqual(complaints, [])
  })
})

it('secrets of the environment are not printed, whatever goes wrong', async () => {
  const env = { ...cleanEnvironment(), DROVER_URL: 'http://127.0.0.1:1', DROVER_TOKEN: 'hunter2-hunter2' }

  const { code, stdout, stderr } = await droverIn({ cwd: scene.repository, env }, ['status', '-v'])

  assert.equal(code, 1)
  assert.match(stderr, /ConnectionLost/)
  assert.doesNotMatch(stdout + stderr, /hunter2/)
})

it('help of a command says how it can end', async () => {
  const { code, stdout } = await scene.drover('help', 'deploy')

  assert.equal(code, 0)
  assert.match(stdout, /Exit codes:\n {2}0 {3}done\n[^]*130 stopped with Ctrl-C/)
})

describe('bin/drover', () => {
  it('finds its Node through links, with another one first on the path', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'drover-bin-'))
    after(() => rmSync(folder, { recursive: true }))
    const fake = join(folder, 'node')
    writeFileSync(fake, '#!/bin/sh\ncase "$1" in -e) exit 1;; --version) echo v18.0.0;; esac\n')
    chmodSync(fake, 0o755)
    symlinkSync(join(import.meta.dirname, '../../bin/drover'), join(folder, 'first'))
    symlinkSync('first', join(folder, 'second'))
    const copy = join(folder, 'copy/bin')
    cpSync(join(import.meta.dirname, '../../bin/drover'), join(copy, 'drover'))
    const bare = { ...cleanEnvironment(), PATH: `${folder}:/usr/bin:/bin` }

    const linked = await ended(spawn(join(folder, 'second'), ['--version'], { env: cleanEnvironment() }))
    const none = await ended(spawn(join(copy, 'drover'), ['--version'], { env: bare }))

    assert.equal(linked.code, 0, linked.stderr)
    assert.equal(none.code, 1)
    assert.match(none.stderr, /drover needs Node 24\.12 or newer, and found v18\.0\.0/)
  })
})
