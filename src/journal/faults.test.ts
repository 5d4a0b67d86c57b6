import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { countdown } from './faults.ts'

describe('fault points', () => {
  it('fit a name, any characters for a star, and count', () => {
    const points = ['a.build:before', 'a.build:after', 'b.build:before', 'b.build:after']
    const hits = (pattern: string): string[] => {
      const isReached = countdown(pattern)
      return points.filter((point) => isReached(point))
    }

    assert.deepEqual(hits('b.build:before'), ['b.build:before'])
    assert.deepEqual(hits('*.build:after'), ['a.build:after'])
    assert.deepEqual(hits('*.build:*#3'), ['b.build:before'])
    assert.deepEqual(hits('build'), [])
    assert.deepEqual(hits('a.bu.ld:before'), [])
  })

  it('kill the process there', () => {
    const module = join(import.meta.dirname, 'faults.ts')
    const script = `import { dieAt } from ${JSON.stringify(module)}
      const faults = dieAt('x:after')
      await faults.reach('x:before'); console.log('before')
      await faults.reach('x:after'); console.log('after')`

    const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })

    assert.equal(stdout, 'before\n')
    assert.equal(signal, 'SIGKILL')
  })
})
