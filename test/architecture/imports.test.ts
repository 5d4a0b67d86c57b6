import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { outlineOf } from './imports.ts'

function specifiers(source: string): string[] {
  return outlineOf(source).imports.map(({ specifier, typeOnly }) => (typeOnly ? `type ${specifier}` : specifier))
}

const forms: readonly (readonly [name: string, source: string, expected: readonly string[]])[] = [
  ['a bare import', `import './a.ts'`, ['./a.ts']],
  ['a default import', `import a from './a.ts'`, ['./a.ts']],
  ['double quotes', `import a from "./a.ts"`, ['./a.ts']],
  ['names over several lines', `import {\n  a,\n  b as c,\n} from './a.ts'`, ['./a.ts']],
  ['everything', `import * as a from './a.ts'`, ['./a.ts']],
  ['default and names', `import a, { b } from './a.ts'`, ['./a.ts']],
  ['types', `import type { A } from './a.ts'`, ['type ./a.ts']],
  ['one type among names', `import { type A, b } from './a.ts'`, ['./a.ts']],
  ['only types among names, which still runs the other file', `import { type A } from './a.ts'`, ['./a.ts']],
  ['a default type', `import type A from './a.ts'`, ['type ./a.ts']],
  ['a type called from', `import type from from './a.ts'`, ['type ./a.ts']],
  ['a default import called type', `import type from './a.ts'`, ['./a.ts']],
  ['a default import called type, and names', `import type, { a } from './a.ts'`, ['./a.ts']],
  ['a name called from', `import { from } from './a.ts'`, ['./a.ts']],
  ['a name called type', `import { type, type as b, type type } from './a.ts'`, ['./a.ts']],
  ['attributes', `import a from './a.json' with { type: 'json' }\nimport b from './b.ts'`, ['./a.json', './b.ts']],
  ['two on one line', `import './a.ts'; import './b.ts'`, ['./a.ts', './b.ts']],
  ['no space at all', `import{a}from'./a.ts'`, ['./a.ts']],
  ['a comment in the middle', `import /* { x } from './x.ts' */ { a } from // './y.ts'\n './a.ts'`, ['./a.ts']],
  ['a dynamic import', `const a = await import('./a.ts')`, ['./a.ts']],
  ['a dynamic import and its then', `void import('./a.ts').then((a) => a.b)`, ['./a.ts']],
  ['a dynamic import inside a template', '`${(await import("./a.ts")).b} import "./x.ts"`', ['./a.ts']],
  ['an import type', `let a: import('./a.ts').A`, ['type ./a.ts']],
  ['a list of an import type', `let a: readonly import('./a.ts').A[]`, ['type ./a.ts']],
  ['the type of a module', `type A = typeof import('./a.ts')`, ['type ./a.ts']],
  ['require', `const a = require('./a.ts')`, ['./a.ts']],
  ['a re-export', `export { a } from './a.ts'`, ['./a.ts']],
  ['a re-export of types', `export type { A } from './a.ts'`, ['type ./a.ts']],
  ['a re-export of everything', `export * from './a.ts'`, ['./a.ts']],
  ['a re-export under a name', `export * as a from './a.ts'`, ['./a.ts']],
  ['a shebang', `#!/usr/bin/env node\nimport './a.ts'`, ['./a.ts']],
]

const lookalikes: readonly (readonly [name: string, source: string])[] = [
  ['a line comment', `// import './a.ts'`],
  ['a block comment', `/* import './a.ts'\n import './b.ts' */`],
  ['a comment with a quote, then code', `// don't\nconst a = 1 // it's`],
  ['a string', `const a = "import './a.ts'"`],
  ['a string with escaped quotes', `const a = 'it\\'s import "./a.ts"'`],
  ['a template', '`import "./a.ts"`'],
  ['templates inside templates', '`${a ? `import "./a.ts" ${b} from` : "}"} import "./b.ts"`'],
  ['a template with an object inside', '`${f({ a: { b: 1 } })} import "./a.ts"`'],
  ['a regular expression with quotes', `const a = /['"\`]import/ ; const b = 1`],
  ['a regular expression with a slash in its class', `a.replace(/[/'"]/g, "import './a.ts'")`],
  ['a regular expression that looks like a comment', String.raw`const a = /\/\/ import '/ ; const b = 'x'`],
  ['divisions', `const a = b / c / 'import'.length; const d = (e) / 2 / f[0]! / g`],
  ['a member called import', `registry.import('./a.ts')`],
  ['a key called import', `const a = { import: './a.ts', from: './b.ts' }`],
  ['import.meta', `const a = import.meta.url`],
  ['an import of what is not a literal', `await import(path)`],
  ['an exported declaration', `export const from = './a.ts'`],
  ['an exported type', `export type A = { readonly from: './a.ts' }`],
  ['a local export list', `const a = 1\nexport { a }\nconst from = './a.ts'`],
]

describe('the import scanner', () => {
  for (const [name, source, expected] of forms) {
    it(`sees ${name}`, () => assert.deepEqual(specifiers(source), expected))
  }

  for (const [name, source] of lookalikes) {
    it(`is not fooled by ${name}`, () => assert.deepEqual(specifiers(`${source}\nimport './end.ts'`), ['./end.ts']))
  }

  it('tells the line, after comments, templates and strings of several lines', () => {
    const outline = outlineOf("/*\n\n*/\nconst a = `\n${b}\n`\nimport './a.ts'\n")

    assert.deepEqual(
      outline.imports.map((found) => found.line),
      [7],
    )
  })

  it('tells the names as the other file knows them', () => {
    const outline = outlineOf(
      `import a, { b as c, type D } from './a.ts'\nimport * as e from './e.ts'\nexport { f as g } from './f.ts'`,
    )

    assert.deepEqual(
      outline.imports.map((found) => found.names),
      [['default', 'b', 'D'], ['*'], ['f']],
    )
  })

  it('sees a default export in each of its forms', () => {
    const sources = [`export default 1`, `const a = 1\nexport { a as default }`, `export { default } from './a.ts'`]

    const lines = sources.map((source) => outlineOf(source).defaultExport)

    assert.deepEqual(lines, [1, 2, 1])
    assert.equal(outlineOf(`export { default as a } from './a.ts'\nconst b = { default: 1 }`).defaultExport, undefined)
  })

  it('tells a barrel from a file that has something of its own', () => {
    const barrels = [
      `export * from './a.ts'`,
      `import { a } from './a.ts'\nexport { a }`,
      `export type { A } from './a.ts';\n// a\n`,
    ]
    const others = [
      `export * from './a.ts'\nexport const b = 1`,
      `import './a.ts'`,
      `import { a } from './a.ts'\na()`,
      '',
    ]

    assert.deepEqual(
      [...barrels, ...others].map((source) => outlineOf(source).barrel),
      [true, true, true, false, false, false, false],
    )
  })

  it('sees the environment being read', () => {
    const reads = [
      'process.env.HOME',
      'process.env',
      'process?.env',
      `process['env']`,
      'const { env } = process',
      'const { env: e } = process',
    ]
    const others = [
      'process.exit(1)',
      'const a = { env }; run(process)',
      `'process.env'`,
      '// process.env',
      'command.env',
      'const { pid } = process',
    ]

    assert.deepEqual(
      [...reads, ...others].map((source) => outlineOf(source).environmentReads.length),
      [...reads.map(() => 1), ...others.map(() => 0)],
    )
  })
})
