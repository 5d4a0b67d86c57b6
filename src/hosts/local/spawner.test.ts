import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Refusal } from '../../problem/problem.ts'
import { spawner } from './spawner.ts'

const PARENT = ['-c', 'read -r stat </proc/$$/stat; set -- $stat; echo "$4"']

describe('a spawner', () => {
  test('starts programs from a process of its own, which is gone after the end', async (t) => {
    const one = spawner()
    t.after(() => one.close())

    const { stdout } = await one.run({ program: 'sh', argv: PARENT })
    await one.close()

    const helper = Number(stdout)
    assert.notEqual(helper, process.pid)
    assert.throws(() => process.kill(helper, 0), /ESRCH/)
  })

  test('says so when its process is killed, and starts another', async (t) => {
    const one = spawner()
    t.after(() => one.close())
    const helper = Number((await one.run({ program: 'sh', argv: PARENT })).stdout)
    const lost = one.run({ program: 'sleep', argv: ['1'] }).catch((error: unknown) => error)
    await delay(50)

    process.kill(helper, 'SIGKILL')

    const error = await lost
    assert.ok(error instanceof Refusal)
    assert.equal(error.problems[0]?.code, 'hosts/spawner-lost')
    const next = await one.run({ program: 'echo', argv: ['there'] })
    assert.equal(next.stdout, 'there\n')
  })
})
