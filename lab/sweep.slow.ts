import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { sweepLabs } from './lab.ts'
import { labSkip } from './needs.ts'
import { tracesOf } from './traces.ts'

const skip = await labSkip()

test('a lab whose owner was killed is swept, and one whose owner lives is not', { skip }, async (t) => {
  const program = `import { openLab } from ${JSON.stringify(join(import.meta.dirname, 'lab.ts'))}
await openLab({ hosts: 1 })
console.log('open')
setInterval(() => undefined, 1000)`
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(async () => {
    owner.kill('SIGKILL')
    await sweepLabs()
  })
  // An owner that cannot open it ends instead.
  const [said] = await Promise.race([once(owner.stdout, 'data'), once(owner, 'exit')])
  assert.equal(String(said), 'open\n')

  await sweepLabs()
  const alive = await tracesOf(String(owner.pid))
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  const dead = await tracesOf(String(owner.pid))
  await sweepLabs()

  assert.ok(alive.length > 0)
  assert.deepEqual(dead, alive, 'the hosts outlive their owner until somebody sweeps')
  assert.deepEqual(await tracesOf(String(owner.pid)), [])
})
