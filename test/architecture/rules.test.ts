import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { habitComplaints, nameComplaints, placeComplaints } from './habits.ts'
import { cycleComplaints, roomComplaints } from './rooms.ts'
import { sourceFiles } from './source.ts'
import type { SourceFile } from './source.ts'

function files(texts: Readonly<Record<string, string>>): SourceFile[] {
  return sourceFiles(Object.entries(texts).map(([path, text]) => ({ path, text })))
}

function importing(path: string, clause: string): SourceFile[] {
  return files({ [path]: clause })
}

describe('the rule of the rooms', () => {
  const refused: readonly (readonly [path: string, clause: string, because: RegExp])[] = [
    ['src/problem/a.ts', `import { b } from '../secrets/b.ts'`, /secrets stands above problem/],
    ['src/hosts/a.ts', `import type { Slot } from '../runtimes/runtime.ts'`, /runtimes stands above hosts/],
    [
      'src/runtimes/pm2/a.ts',
      `import { nginx } from '../../routers/nginx/nginx.ts'`,
      /runtimes and routers are siblings/,
    ],
    ['src/release/a.ts', `import { b } from '../server/b.ts'`, /server stands above release/],
    ['src/server/a.ts', `import { b } from '../cli/b.ts'`, /siblings/],
    ['src/server/a.ts', `import { b } from '../main.ts'`, /main.ts stands above server/],
    ['src/cli/a.ts', `import { makePlan } from '../release/plan.ts'`, /ask the API/],
    ['src/cli/a.ts', `import { b } from '../journal/b.ts'`, /client of the API/],
    ['src/cli/a.ts', `import type { Host } from '../hosts/host.ts'`, /client of the API/],
    ['src/cli/a.ts', `import { b } from '../server/app.ts'`, /client of the API/],
    ['src/build/a.ts', `const b = await import('../journal/b.ts')`, /siblings/],
    ['src/build/a.ts', `import { b } from '../../bench/b.ts'`, /outside/],
    ['src/attic/a.ts', `import { b } from './b.ts'`, /has no level/],
  ]
  for (const [path, clause, because] of refused) {
    it(`refuses ${clause} in ${path}`, () => {
      const complaints = roomComplaints(importing(path, clause))

      assert.equal(complaints.length, 1)
      assert.match(complaints[0]!, because)
      assert.ok(complaints[0]!.startsWith(path))
    })
  }

  it('refuses what only tests need, in what runs in production', () => {
    const all = files({
      'src/hosts/a.ts': `import { b } from './b.test.ts'`,
      'src/hosts/b.test.ts': '',
      'src/hosts/c.ts': `import { conformance } from './conformance.ts'`,
      'src/hosts/conformance.ts': `import { it } from 'node:test'\nimport { d } from '../journal/d.ts'`,
      'src/hosts/e.test.ts': `import { conformance } from './conformance.ts'`,
    })

    const complaints = roomComplaints(all)

    assert.equal(complaints.length, 2)
    for (const complaint of complaints) assert.match(complaint, /^src\/hosts\/[ac]\.ts:1 .*: what runs in production/)
  })

  const accepted: readonly (readonly [path: string, clause: string])[] = [
    ['src/release/a.ts', `import { b } from '../databases/b.ts'`],
    ['src/release/a.ts', `import { b } from '../problem/problem.ts'`],
    ['src/runtimes/pm2/a.ts', `import { b } from '../runtime.ts'`],
    ['src/cli/a.ts', `import type { Plan } from '../release/plan.ts'`],
    ['src/cli/a.ts', `import { home } from '../server/home.ts'`],
    ['src/cli/a.ts', `import { load } from '../manifest/load.ts'`],
    ['src/main.ts', `import { serve } from './server/serve.ts'`],
    ['src/build/a.test.ts', `import { b } from '../journal/b.ts'`],
    ['src/build/a.slow.ts', `import { b } from '../../test/b.ts'`],
    ['src/build/a.ts', `import { b } from 'pg'`],
  ]
  for (const [path, clause] of accepted) {
    it(`accepts ${clause} in ${path}`, () => assert.deepEqual(roomComplaints(importing(path, clause)), []))
  }
})

describe('the rule against cycles', () => {
  it('shows the way around', () => {
    const knot = files({
      'src/hosts/a.ts': `import { b } from './local/b.ts'`,
      'src/hosts/local/b.ts': `import { c } from '../c.ts'`,
      'src/hosts/c.ts': `export { a } from './a.ts'`,
    })

    const complaints = cycleComplaints(knot)

    assert.equal(complaints.length, 1)
    assert.match(
      complaints[0]!,
      /^src\/hosts\/a\.ts -> src\/hosts\/local\/b\.ts -> src\/hosts\/c\.ts -> src\/hosts\/a\.ts: /,
    )
  })

  it('sees a file that imports itself', () => {
    assert.equal(cycleComplaints(importing('src/hosts/a.ts', `import { b } from './a.ts'`)).length, 1)
  })

  it('accepts a diamond, and a cycle of types', () => {
    const diamond = files({
      'src/hosts/a.ts': `import './b.ts'\nimport './c.ts'`,
      'src/hosts/b.ts': `import './d.ts'`,
      'src/hosts/c.ts': `import './d.ts'`,
      'src/hosts/d.ts': `import type { A } from './a.ts'`,
    })

    assert.deepEqual(cycleComplaints(diamond), [])
  })
})

describe('the habits', () => {
  const refused: readonly (readonly [path: string, text: string, because: RegExp])[] = [
    ['src/hosts/a.ts', 'a\n'.repeat(401), /has 401 lines of code/],
    ['src/hosts/a.ts', `export * from './b.ts'`, /only hands on/],
    ['src/hosts/a.ts', 'export default 1', /:1: has a default export/],
    ['src/hosts/a.ts', '\nconst a = process.env.A', /:2: reads process.env/],
    ['src/hosts/a.ts', `import { env } from 'node:process'`, /reads process.env/],
    ['src/server/a.ts', `import { spawn } from 'node:child_process'`, /let a Host run it/],
    ['src/build/a.ts', `const { execa } = await import('execa')`, /let a Host run it/],
  ]
  for (const [path, text, because] of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))} in ${path}`, () => {
      const complaints = habitComplaints(files({ [path]: text }))

      assert.equal(complaints.length, 1)
      assert.match(complaints[0]!, because)
    })
  }

  const accepted: readonly (readonly [path: string, text: string])[] = [
    ['src/hosts/a.ts', 'a\n\n// b\n/** c\n * d */\n'.repeat(400)],
    ['src/cli/a.ts', 'const a = process.env.A'],
    ['src/hosts/local/run.ts', `import { spawn } from 'node:child_process'`],
    ['src/hosts/a.ts', `import type { ChildProcess } from 'node:child_process'`],
    ['src/build/a.test.ts', `import { spawn } from 'node:child_process'\nprocess.env.A`],
  ]
  for (const [path, text] of accepted) {
    it(`accepts ${JSON.stringify(text.slice(0, 60))} in ${path}`, () =>
      assert.deepEqual(habitComplaints(files({ [path]: text })), []))
  }

  it('refuses names that say nothing, wherever they stand', () => {
    const paths = [
      'src/hosts/utils/a.ts',
      'src/hosts/string-helpers.ts',
      'bench/Common.ts',
      'src/release/release.manager.ts',
    ]
    const fine = ['src/hosts/commons.ts', 'src/manifest/fleet.ts']

    const complaints = nameComplaints([...paths, ...fine].map((path) => ({ path, text: '' })))

    assert.deepEqual(
      complaints.map((complaint) => complaint.slice(0, complaint.indexOf(':'))),
      paths,
    )
  })

  it('refuses folders of one machine, but not folders of that name inside another', () => {
    const [work = '', root = ''] = ['work', 'root'].map((folder) => `/${folder}/`)
    const text = [
      `const a = '${work}main'`,
      `cd ${root}x`,
      `\${home}${work}x`,
      `<root>${root}x`,
      work.slice(0, -1),
      `a${work}b`,
    ].join('\n')

    const complaints = placeComplaints([{ path: 'a.ts', text }])

    assert.deepEqual(
      complaints.map((complaint) => complaint.split(' ')[0]),
      ['a.ts:1:', 'a.ts:2:'],
    )
  })
})
