import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { homeIn, processRuns, readAddress } from '../../src/server/home.ts'
import { MAIN, cleanEnvironment, droverIn, ended, makeRepository, openScene, printed, startDrover } from './scene.ts'
import type { Place, Result } from './scene.ts'

let repository: string
let home: string

beforeEach(() => {
  repository = makeRepository()
  home = mkdtempSync(join(tmpdir(), 'drover-home-'))
})

afterEach(async () => {
  const address = await readAddress(homeIn(home))
  if (address !== undefined && processRuns(address.pid)) process.kill(address.pid, 'SIGKILL')
  rmSync(repository, { recursive: true })
  rmSync(home, { recursive: true })
})

function place(more: Readonly<Record<string, string>> = {}): Place {
  return { cwd: repository, env: { ...cleanEnvironment(), DROVER_HOME: home, DROVER_ACTOR: 'anna', ...more } }
}

function drover(...words: readonly string[]): Promise<Result> {
  return droverIn(place(), words)
}

/** A control plane as a process of its own, once it answers. */
async function serving(...words: readonly string[]): Promise<ChildProcess> {
  const { cwd, env } = place()
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', '0', ...words], { cwd, env })
  await printed(child, /serves|"pid"/)
  return child
}

describe('the control plane of this machine', () => {
  it('is started once by the first commands that need it, outlives them, and is stopped', async () => {
    const both = await Promise.all([drover('status', '--json'), drover('releases', 'staging')])
    const address = await readAddress(homeIn(home))
    const third = await drover('status', 'staging')
    const stopped = await drover('stop')
    const again = await drover('stop')

    assert.deepEqual(
      both.map(({ code }) => code),
      [0, 0],
    )
    assert.match(both.map(({ stderr }) => stderr).join(''), /starting the local control plane in /)
    assert.equal(third.stderr, '')
    assert.equal(stopped.code, 0)
    assert.match(stopped.stdout, /is stopped; services go on running/)
    assert.ok(address !== undefined && !processRuns(address.pid))
    assert.equal(again.stdout, 'no control plane is running\n')
    assert.match(readFileSync(join(home, 'server.log'), 'utf8'), /serves http:\/\/127\.0\.0\.1:\d+ from/)
  })

  it('that does not come up says why', async () => {
    const fault = place({ DROVER_TEST_FAULT: 'the moon is in the wrong phase' })

    const { code, stderr } = await droverIn(fault, ['status'])

    assert.equal(code, 3)
    assert.match(
      stderr,
      /did not come up: it ended with exit code 1; it wrote\n[^]*\| .*the moon is in the wrong phase/,
    )
    assert.match(stderr, /HINT: All of it is in .*server\.log/)
  })

  it('is not started a second time over a home that is served', async () => {
    const server = await serving()
    const { cwd, env } = place()

    const second = await ended(spawn(process.execPath, [MAIN, 'serve', '--port', '0'], { cwd, env }))
    server.kill('SIGTERM')
    const first = await ended(server)

    assert.equal(second.code, 3)
    assert.match(second.stderr, /is served by the control plane with process id \d+ at http/)
    assert.equal(first.code, 0)
    assert.equal(await readAddress(homeIn(home)), undefined)
  })

  it('is started again when it was killed, and told so', async () => {
    const server = await serving('--json')
    server.kill('SIGKILL')
    await ended(server)

    const { code, stderr } = await drover('status')

    assert.equal(code, 0)
    assert.match(stderr, /starting the local control plane/)
    assert.match(readFileSync(join(home, 'server.log'), 'utf8'), /did not end orderly/)
  })
})

describe('following a release', () => {
  it('goes on where it was when the control plane was away', async (t) => {
    const scene = await openScene(t, { paceMs: 40 })
    const running = scene.start('deploy', 'staging')
    await running.says(/backend: built/)

    await scene.restart()

    const { code, stdout, stderr } = await running.result
    const lines = stdout.split('\n').map((line) => line.replace(/^\[.*?\] /, ''))
    assert.equal(code, 0, stderr)
    assert.match(stderr, /the control plane does not answer; waiting for it\nthe control plane is back; following on\n/)
    assert.match(stdout, /✓ release 1 of pakashop\/staging is live/)
    assert.deepEqual(
      lines.filter((line) => line === 'start'),
      ['start'],
    )
    assert.equal(lines.filter((line) => line.startsWith('gateway: ready')).length, 1)
  })

  it('ends when the control plane of this machine is stopped, and says how to come back', async () => {
    const served = ended(await serving())
    const running = startDrover(place(), ['deploy', 'staging', '--ref', 'endless'])
    await running.says(/gateway: starting/)

    const stopped = await drover('stop')

    const { code, stderr } = await running.result
    assert.equal(stopped.code, 0)
    assert.equal((await served).code, 0)
    assert.equal(code, 1)
    assert.match(
      stderr,
      /the control plane was stopped or stays away; release 1 of pakashop\/staging goes on when it is started again/,
    )
  })

  it('cancels on Ctrl-C and says what came of it', async (t) => {
    const scene = await openScene(t)
    const child = scene.process(['deploy', 'staging', '--ref', 'endless'])
    const result = ended(child)
    await printed(child, /gateway: starting/)

    child.kill('SIGINT')

    const { code, stdout, stderr } = await result
    assert.equal(code, 130)
    assert.match(stderr, /cancelling: going back to what was live/)
    assert.match(
      stdout,
      /anna asked to cancel in start\n[^]*○ release 1 of pakashop\/staging is cancelled; what was live before is live/,
    )
  })

  it('leaves the release to itself when it only looks on', async (t) => {
    const scene = await openScene(t)
    await scene.drover('deploy', 'staging', '--ref', 'endless', '--detach')
    const running = scene.start('release', 'staging', '1', '--follow')
    await running.says(/gateway: starting/)

    running.interrupt()

    const { code, stderr } = await running.result
    const [release] = await scene.controlPlane.releases({ fleet: 'pakashop', environment: 'staging' }, { limit: 1 })
    assert.equal(code, 130)
    assert.match(
      stderr,
      /release 1 of pakashop\/staging goes on without this terminal; follow it with: drover release staging 1 --follow/,
    )
    assert.equal(release?.outcome, undefined)
  })

  it('says who holds the environment while it waits', async (t) => {
    const scene = await openScene(t)
    await scene.drover('deploy', 'staging', '--ref', 'endless', '--detach')
    const running = scene.start('deploy', 'staging')
    await running.says(/waits for release 1 by anna/)

    await scene.drover('cancel', 'staging', '1')

    const { code, stdout } = await running.result
    assert.equal(code, 0)
    assert.match(stdout, /✓ release 2 of pakashop\/staging is live/)
  })
})
