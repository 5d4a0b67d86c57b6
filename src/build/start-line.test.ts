import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { startLine } from './start-line.ts'
import { layFiles } from './trial.ts'

const folder = mkdtempSync(join(tmpdir(), 'drover-start-'))
await layFiles(folder, { 'bin/tool': { program: '#!/bin/sh\necho "$$ tool $* $A"\n' } })
after(() => rmSync(folder, { recursive: true }))

describe('start line', () => {
  it('leaves a single command as it is', () => {
    for (const line of ['node server.js', './bin/search', "node 'my file.js' --port $PORT", 'python3 -m app "a;b"']) {
      assert.equal(startLine(`  ${line} `), line)
    }
  })

  const cases: Record<string, readonly [line: string, bins: readonly string[], printed: RegExp]> = {
    'a variable in front': ['A=1 B="x y" sh -c \'echo "$$ $A $B"\'', [], /^PID 1 x y$/],
    'an installed program': ['tool a "b c"', ['bin'], /^PID tool a b c$/],
    'a variable and an installed program': ['A=q tool', ['bin'], /^PID tool {2}q$/],
    'two commands': ["echo it\\'s one && echo two", [], /^it's one\ntwo$/],
    'a change of folder': ['cd bin && ./tool', [], /tool/],
    exec: ['exec sh -c \'echo "$$ x"\'', [], /^PID x$/],
    'a pipe': ['echo abc | tr b B', [], /^aBc$/],
  }
  for (const [what, [line, bins, printed]] of Object.entries(cases)) {
    it(`can stand behind exec: ${what}`, () => {
      const script = `echo $$; exec ${startLine(line, bins)}`

      const [pid = '', ...lines] = execFileSync('sh', ['-c', script], { cwd: folder, encoding: 'utf8' })
        .trimEnd()
        .split('\n')

      assert.match(lines.join('\n').replaceAll(new RegExp(`\\b${pid}\\b`, 'g'), 'PID'), printed)
    })
  }
})
