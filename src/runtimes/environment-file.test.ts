import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { localHost } from '../hosts/local/local-host.ts'
import { Secret } from '../secrets/secret.ts'
import { renderEnvironmentFile } from './environment-file.ts'

test('a file without secrets is plain text, in the order given', () => {
  const text = renderEnvironmentFile([
    ['B', 'two words'],
    ['A', 'a "b" $c'],
    ['EMPTY', ''],
  ])

  assert.equal(text, 'B="two words"\nA="a \\"b\\" \\$c"\nEMPTY=""\n')
})

test('one secret makes the file a secret', () => {
  const text = renderEnvironmentFile([
    ['A', 'x'],
    ['B', new Secret('y')],
  ])

  assert.ok(text instanceof Secret)
  assert.equal(text.open(), 'A="x"\nB="y"\n')
})

test('a shell reads every value as it was', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'drover-env-'))
  t.after(() => rm(folder, { recursive: true }))
  const values = [
    "'",
    '\n\n',
    ' x ',
    '~',
    'a:~/b',
    '$HOME',
    '`id`',
    '\\',
    '\\\n\\n\\\\',
    '"',
    '#',
    'é😀',
    '-----BEGIN KEY-----\nab+/=\n-----END KEY-----\n',
  ]
  const names = values.map((_, index) => `V${index}`)
  const text = renderEnvironmentFile(values.map((value, index) => [names[index] ?? '', value]))
  await writeFile(join(folder, 'env'), String(text))

  const script = `set -a; . "$1"; set +a; shift; for name; do printenv "$name"; printf '\\001'; done`
  const outcome = await localHost().run({ program: 'sh', argv: ['-c', script, 'sh', join(folder, 'env'), ...names] })

  assert.deepEqual(outcome.stdout.split('\n\u0001').slice(0, -1), values)
})

test('what no environment can hold is refused', () => {
  assert.throws(() => renderEnvironmentFile([['A B', 'x']]), TypeError)
  assert.throws(() => renderEnvironmentFile([['A', 'x\0y']]), TypeError)
})
