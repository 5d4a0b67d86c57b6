import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Refusal } from '../problem/problem.ts'
import { Secret } from '../secrets/secret.ts'
import { act, raiseFence, readFence } from './act.ts'
import { localHost } from './local/local-host.ts'
import type { Operation } from './operation.ts'

const host = localHost()

async function scratch(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'drover-act-'))
  t.after(() => rm(root, { recursive: true, force: true }))
  return root
}

function sh(script: string, ...argv: string[]): Operation {
  return { kind: 'run', program: 'sh', argv: ['-c', script, 'sh', ...argv] }
}

/** The one problem of a Refusal. */
async function refused(work: Promise<unknown>): Promise<{ code: string; what: string; hint: string }> {
  const error = await work.then(
    () => assert.fail('was not refused'),
    (error: unknown) => error,
  )
  assert.ok(error instanceof Refusal, String(error))
  const [first] = error.problems
  assert.ok(first !== undefined)
  return { code: first.code, what: first.what, hint: first.hint ?? '' }
}

describe('operations', () => {
  test('change the host in order and give the results of commands', async (t) => {
    const root = await scratch(t)

    const results = await act(host, { root, number: 1 }, [
      { kind: 'folder', path: `${root}/env`, mode: 0o750 },
      { kind: 'write', path: `${root}/env/x`, content: new Secret('A=1\n'), mode: 0o600 },
      { kind: 'link', path: `${root}/live`, target: 'env/x' },
      sh('cat "$1"; echo careful >&2', `${root}/live`),
      { kind: 'remove', path: `${root}/env` },
      { kind: 'run', program: 'sh', argv: ['-c', 'exit 3'], mayFail: true },
    ])

    assert.deepEqual(results, [
      { exitCode: 0, stdout: 'A=1\n', stderr: 'careful\n' },
      { exitCode: 3, stdout: '', stderr: '' },
    ])
    assert.equal(await readlink(`${root}/live`), 'env/x')
    assert.ok(!existsSync(`${root}/env`))
  })

  test('give files and folders the mode that was asked for', async (t) => {
    const root = await scratch(t)

    await act(host, { root, number: 1 }, [
      { kind: 'folder', path: `${root}/d`, mode: 0o700 },
      { kind: 'write', path: `${root}/d/secret`, content: 'x', mode: 0o600 },
      { kind: 'write', path: `${root}/d/plain`, content: 'x' },
      { kind: 'write', path: `${root}/d/run`, content: 'x', mode: 0o755 },
    ])

    const modes = await Promise.all(
      ['d', 'd/secret', 'd/plain', 'd/run'].map(async (name) => (await stat(join(root, name))).mode & 0o777),
    )
    assert.deepEqual(modes, [0o700, 0o600, 0o644, 0o755])
  })

  test('may be repeated, over what is there already', async (t) => {
    const root = await scratch(t)
    const operations: Operation[] = [
      { kind: 'folder', path: `${root}/d` },
      { kind: 'write', path: `${root}/d/f`, content: 'same' },
      { kind: 'link', path: `${root}/l`, target: 'd' },
      { kind: 'remove', path: `${root}/gone` },
    ]

    await act(host, { root, number: 1 }, operations)
    await act(host, { root, number: 1 }, operations)

    assert.deepEqual((await readdir(root)).toSorted(), ['d', 'fence', 'fence.gate', 'fence.lock', 'l', 'work'])
    assert.deepEqual(await readdir(`${root}/d`), ['f'])
    assert.deepEqual(await readdir(`${root}/work`), [])
  })

  test('end at the first that fails, which is named with what it said', async (t) => {
    const root = await scratch(t)

    const failure = await refused(
      act(
        host,
        { root, number: 1 },
        [sh('echo one; echo two >&2; exit 7'), { kind: 'write', path: `${root}/after`, content: '' }],
        {
          label: 'stage backend',
        },
      ),
    )

    assert.equal(failure.code, 'hosts/operation')
    assert.equal(failure.what, 'could not run sh -c echo one; echo two >&2; exit 7 sh (exit code 7): two')
    assert.ok(!existsSync(`${root}/after`))
  })

  test('say when a program is missing', async (t) => {
    const root = await scratch(t)

    const failure = await refused(
      act(host, { root, number: 1 }, [{ kind: 'run', program: 'drover-no-such-program', argv: [] }]),
    )

    assert.equal(failure.code, 'hosts/missing-program')
  })

  test('say that the disk is full', async (t) => {
    const root = await scratch(t)

    const failure = await refused(act(host, { root, number: 1 }, [sh('echo x | cat >/dev/full')]))

    assert.equal(failure.code, 'hosts/disk-full')
    assert.match(failure.what, /No space left on device/)
    assert.match(failure.hint, /Free space/)
  })

  test('say that a right is missing', async (t) => {
    const root = await scratch(t)

    const failure = await refused(
      act(host, { root, number: 1 }, [sh('echo "mkdir: /etc/x: Permission denied" >&2; exit 1')]),
    )

    assert.equal(failure.code, 'hosts/permission')
  })

  test('say that something is in the way of a file', async (t) => {
    const root = await scratch(t)
    await mkdir(join(root, 'taken', 'below'), { recursive: true })

    const failure = await refused(
      act(host, { root, number: 1 }, [{ kind: 'write', path: `${root}/taken`, content: 'x' }]),
    )

    assert.match(failure.what, /could not write .*taken \(exit code 1\): .*cannot overwrite directory/)
  })

  test('keep secrets out of errors and argument lists', async (t) => {
    const root = await scratch(t)
    const secret = new Secret('correct horse battery')

    const [result] = await act(host, { root, number: 1 }, [
      {
        kind: 'run',
        program: 'sh',
        argv: ['-c', 'tr "\\0" " " </proc/$PPID/cmdline; tr "\\0" " " </proc/$$/cmdline'],
        env: { PASSWORD: secret },
      },
    ])
    const failure = await refused(
      act(host, { root, number: 1 }, [
        {
          kind: 'run',
          program: 'sh',
          argv: ['-c', 'echo "login $PASSWORD failed" >&2; exit 1'],
          env: { PASSWORD: secret },
        },
      ]),
    )

    assert.doesNotMatch(result?.stdout ?? '', /horse/)
    assert.match(failure.what, /login \[REDACTED\] failed/)
  })

  test('do not wait for a daemon, which keeps no lock', async (t) => {
    const root = await scratch(t)

    const [result] = await act(host, { root, number: 1 }, [
      { kind: 'run', program: 'sh', argv: ['-c', 'sleep 60 & echo $!'], daemonizes: true },
    ])

    const pid = Number(result?.stdout)
    t.after(() => process.kill(pid))
    const held = await Promise.all(
      (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
    )
    assert.deepEqual(
      held.filter((file) => file.includes('fence')),
      [],
    )
    await raiseFence(host, { root, number: 2 })
  })

  test('that were cut off leave nothing running and may be repeated', async (t) => {
    const root = await scratch(t)
    const operations: Operation[] = [
      { kind: 'write', path: `${root}/first`, content: '1' },
      sh('[ -e "$1/go" ] || { echo $$ >"$1/pid"; sleep 60; }', root),
      { kind: 'write', path: `${root}/last`, content: '3' },
    ]
    const abort = new AbortController()
    const cut = refused(act(host, { root, number: 1 }, operations, { signal: abort.signal }))
    await until(() => existsSync(`${root}/pid`))

    abort.abort()
    const failure = await cut
    const pid = Number(await readFile(`${root}/pid`, 'utf8'))
    await writeFile(`${root}/go`, '')
    await act(host, { root, number: 1 }, operations)

    assert.equal(failure.code, 'hosts/cut-off')
    assert.ok(!existsSync(`/proc/${pid}/exe`))
    assert.equal(await readFile(`${root}/first`, 'utf8'), '1')
    assert.equal(await readFile(`${root}/last`, 'utf8'), '3')
  })

  test('do nothing at all when the script is cut off on its way', async (t) => {
    const root = await scratch(t)
    let script = ''
    const capturing = {
      ...host,
      run: (command: Parameters<typeof host.run>[0]) => {
        script = command.stdin instanceof Secret ? command.stdin.open() : ''
        return host.run({ program: 'true', argv: [] })
      },
    }
    await refused(act(capturing, { root, number: 1 }, [{ kind: 'write', path: `${root}/f`, content: 'x' }]))

    for (const share of [0.5, 0.9, 0.99]) {
      await host.run({ program: 'sh', argv: ['-s'], stdin: script.slice(0, Math.floor(script.length * share)) })
    }

    assert.deepEqual(await readdir(root), [])
  })
})

describe('the fence', () => {
  test('refuses a lower number and does nothing then', async (t) => {
    const root = await scratch(t)
    await raiseFence(host, { root, number: 7 })

    const failure = await refused(act(host, { root, number: 6 }, [{ kind: 'write', path: `${root}/x`, content: '' }]))

    assert.equal(failure.code, 'hosts/fenced')
    assert.equal(failure.what, `release 6 may not change ${root}: release 7 has taken over`)
    assert.ok(!existsSync(`${root}/x`))
    assert.equal(await readFence(host, root), 7)
  })

  test('is 0 where nothing was ever done', async (t) => {
    assert.equal(await readFence(host, join(await scratch(t), 'new')), 0)
  })

  test('that holds no number is refused', async (t) => {
    const root = await scratch(t)
    await writeFile(`${root}/fence`, 'x\n')

    assert.equal((await refused(raiseFence(host, { root, number: 1 }))).code, 'hosts/fence-broken')
  })

  test('lets commands of the same number work side by side', async (t) => {
    const root = await scratch(t)
    const count = 8
    // Each waits until all are there: they could not all end if any had to wait for another.
    const meet = sh(
      'touch "$1/$$.here"; i=0; while [ "$(ls "$1" | grep -c here)" -lt "$2" ]; do sleep 0.02; i=$((i + 1)); [ $i -lt 1000 ] || exit 1; done',
      root,
      String(count),
    )

    const all = await Promise.all(Array.from({ length: count }, () => act(host, { root, number: 3 }, [meet])))

    assert.equal(all.length, count)
  })

  test('makes a higher number wait for the commands of a lower one', async (t) => {
    const root = await scratch(t)
    const older = act(host, { root, number: 1 }, [
      sh('touch "$1/begun"; sleep 0.5; echo older >>"$1/order"', root),
      sh('echo older again >>"$1/order"', root),
    ])
    await until(() => existsSync(`${root}/begun`))

    await act(host, { root, number: 2 }, [sh('echo newer >>"$1/order"', root)])
    await older

    assert.equal(await readFile(`${root}/order`, 'utf8'), 'older\nolder again\nnewer\n')
  })

  test('is not starved by a crowd of older commands', async (t) => {
    const root = await scratch(t)
    const stop = new AbortController()
    let refusals = 0
    let begun = 0
    const crowd = Array.from({ length: 8 }, async (_, index) => {
      // One after the other, so that there is never a moment without any of them.
      await sleep(index * 60)
      begun += 1
      while (!stop.signal.aborted) {
        await act(host, { root, number: 1 }, [sh('sleep 0.4')]).catch(() => {
          refusals += 1
          stop.abort()
        })
      }
    })
    await until(() => begun === 8 && existsSync(`${root}/fence`))

    await raiseFence(host, { root, number: 2 })
    await until(() => refusals > 0)
    stop.abort()
    await Promise.all(crowd)

    assert.equal(await readFence(host, root), 2)
  })

  test('holds while a Drover that was killed has commands under way', async (t) => {
    const root = await scratch(t)
    const drover = spawn(process.execPath, [
      '--input-type=module-typescript',
      '--eval',
      `import { act } from ${JSON.stringify(new URL('act.ts', import.meta.url).href)}
       import { localHost } from ${JSON.stringify(new URL('local/local-host.ts', import.meta.url).href)}
       const argv = ['-c', 'touch "$1/begun"; sleep 0.7; echo older >>"$1/order"', 'sh', ${JSON.stringify(root)}]
       await act(localHost(), { root: ${JSON.stringify(root)}, number: 1 }, [{ kind: 'run', program: 'sh', argv }])`,
    ])
    await until(() => existsSync(`${root}/begun`))
    drover.kill('SIGKILL')

    await act(host, { root, number: 2 }, [sh('echo newer >>"$1/order"', root)])

    assert.equal(await readFile(`${root}/order`, 'utf8'), 'older\nnewer\n')
  })

  test('lets the same number wait where both claim the same, and only there', async (t) => {
    const root = await scratch(t)
    const fence = { root, number: 1 }
    const slow = act(host, fence, [sh('touch "$1/begun"; sleep 0.5; echo slow >>"$1/order"', root)], {
      claims: ['p', 'q'],
    })
    await until(() => existsSync(`${root}/begun`))

    await Promise.all([
      act(host, fence, [sh('echo "same $2" >>"$1/order"', root, 'q')], { claims: ['q', 'r'] }),
      act(host, fence, [sh('echo other >>"$1/order"', root)], { claims: ['s'] }),
      act(host, fence, [sh('echo none >>"$1/order"', root)]),
    ])
    await slow

    const order = (await readFile(`${root}/order`, 'utf8')).trim().split('\n')
    assert.deepEqual(order.slice(0, 2).toSorted(), ['none', 'other'])
    assert.deepEqual(order.slice(2), ['slow', 'same q'])
  })

  test('lets the repetition wait for the commands of a script that was killed', async (t) => {
    const root = await scratch(t)
    const fence = { root, number: 1 }
    const slow = sh('echo $PPID >"$1/pid.part"; mv "$1/pid.part" "$1/pid"; sleep 0.5; echo first >>"$1/order"', root)
    const killed = refused(act(host, fence, [slow], { claims: ['p'] }))
    await until(() => existsSync(`${root}/pid`))

    process.kill(Number(await readFile(`${root}/pid`, 'utf8')), 'SIGKILL')
    await act(host, fence, [sh('echo second >>"$1/order"', root)], { claims: ['p'] })

    assert.equal((await killed).code, 'hosts/cut-off')
    assert.equal(await readFile(`${root}/order`, 'utf8'), 'first\nsecond\n')
  })

  test('clears away what killed commands left half-made', async (t) => {
    const root = await scratch(t)
    await act(host, { root, number: 1 }, [])
    await mkdir(`${root}/work/999999`)
    await writeFile(`${root}/work/999999/part`, 'half')

    await raiseFence(host, { root, number: 2 })

    assert.deepEqual(await readdir(`${root}/work`), [])
  })
})

async function until(condition: () => boolean): Promise<void> {
  for (let polls = 0; polls < 1000 && !condition(); polls += 1) {
    await sleep(10)
  }
  assert.ok(condition(), 'what was waited for did not happen within 10 s')
}
