import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { MAIN, ended, openScene, printed } from './scene.ts'
import type { Scene } from './scene.ts'

/** The command line in a terminal of its own, 80 by 24, made by script(1); what is written to stdin is typed. */
function inTerminal(scene: Scene, words: string): ChildProcess {
  const command = `stty cols 80 rows 24; exec '${process.execPath}' '${MAIN}' ${words}`
  const env = { ...scene.env, TERM: 'xterm-256color', SHELL: '/bin/sh' }
  return spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: scene.repository,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

const CTRL_C = '\u0003'

describe('in a terminal', () => {
  it('the first Ctrl-C cancels and goes on showing until that is done', async (t) => {
    const scene = await openScene(t)
    const child = inTerminal(scene, 'deploy staging --ref endless --yes')
    const result = ended(child)
    await printed(child, /▸start[^]*gateway/)

    child.stdin?.write(CTRL_C)

    const { code, stdout } = await result
    const text = stripVTControlCharacters(stdout)
    assert.equal(code, 130)
    assert.match(text, /cancelling: going back to what was live|✗start/)
    assert.match(
      text,
      /pakashop\/staging #1 [^]*✗start[^]*○ undone[^]*○ release 1 of pakashop\/staging is cancelled; what was live before is live\r\n/,
    )
    assert.ok(stdout.includes('\u001b[?25h'), 'the cursor is shown again')
  })

  it('the second Ctrl-C leaves the release to itself and says how to come back', async (t) => {
    const scene = await openScene(t)
    // A release that does not react at once.
    scene.controlPlane.cancel = (ref) => scene.controlPlane.release(ref)
    const child = inTerminal(scene, 'deploy staging --ref endless --yes')
    const result = ended(child)
    await printed(child, /▸start/)

    child.stdin?.write(CTRL_C)
    await printed(child, /cancelling/)
    child.stdin?.write(CTRL_C)

    const { code, stdout } = await result
    assert.equal(code, 130)
    assert.match(
      stdout,
      /release 1 of pakashop\/staging goes on without this terminal; follow it with: drover release staging 1 --follow/,
    )
  })

  it('the plan is shown and asked about, and a no is a no', async (t) => {
    const scene = await openScene(t)
    const no = inTerminal(scene, 'deploy staging')
    const refused = ended(no)
    await printed(no, /\[y\/N\]/)
    no.stdin?.write('n\n')
    const { code, stdout } = await refused
    const yes = inTerminal(scene, 'deploy staging')
    const agreed = ended(yes)
    await printed(yes, /\[y\/N\]/)
    yes.stdin?.write('y\n')
    const released = await agreed

    const releases = await scene.controlPlane.releases({ fleet: 'pakashop', environment: 'staging' }, { limit: 9 })
    assert.equal(code, 3)
    assert.match(
      stripVTControlCharacters(stdout),
      /\+ backend {2}not live yet[^]*Release this to pakashop\/staging\?[^]*not released/,
    )
    assert.ok(stdout.includes('\u001b[32m+\u001b[39m backend'), 'in colour')
    assert.equal(released.code, 0, released.stdout)
    assert.equal(releases.length, 1)
  })
})
