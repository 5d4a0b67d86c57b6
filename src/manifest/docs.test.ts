import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import type { FileView } from './detect.ts'
import { docsSections, manifestDocs } from './docs.ts'
import { manifestJsonSchema } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'
import { loadManifest } from './load.ts'
import { generatedFiles } from './write-schema.ts'

describe('what is generated', () => {
  it('is current', async () => {
    for (const [file, content] of await generatedFiles()) {
      assert.equal(
        await readFile(file, 'utf8'),
        content,
        `docs/${basename(file)} is stale: run node src/manifest/write-schema.ts`,
      )
    }
  })
})

describe('the page', () => {
  it('has examples that Drover takes', async () => {
    const page = await readFile(join(import.meta.dirname, '../../docs/manifest.md'), 'utf8')
    const [smallest = '', services = '', environments = '', hosts = '', stores = ''] = [
      ...page.matchAll(/```yaml\n([\s\S]*?)```/g),
    ].map((match) => match[1])
    const repository: FileView = { exists: () => true, list: () => ['go.mod'] }

    for (const text of [smallest, `fleet: f\n${services}${environments}${stores}`, `fleet: f\n${hosts}`]) {
      const { problems } = await loadManifest(text, { file: 'drover.yaml', repository })

      assert.deepEqual(problems, [])
    }
  })
})

describe('the JSON Schema', () => {
  it('describes every key', () => {
    const silent = [...keysOf(manifestJsonSchema(), '')]
      .filter(([, { description }]) => !description)
      .map(([path]) => path)

    assert.deepEqual(silent, [])
  })

  it('asks for no key that has a default, and knows x- keys everywhere', () => {
    for (const [path, schema] of objectsOf(manifestJsonSchema(), '')) {
      for (const key of schema.required ?? [])
        assert.equal(schema.properties?.[key]?.default, undefined, `${path}.${key}`)
      assert.deepEqual(schema.patternProperties, { '^x-': {} }, path)
    }
  })
})

describe('drover docs', () => {
  it('has a text for every section, and all of them together', () => {
    const sections = docsSections()

    const texts = sections.map((section) => manifestDocs(section))

    assert.equal(manifestDocs(), texts.join('\n'))
    assert.deepEqual(sections, [
      'manifest',
      'services',
      'ready',
      'migrate',
      'singleton',
      'limits',
      'defaults',
      'environments',
      'verify',
      'rolling',
      'hosts',
      'stores',
    ])
  })

  it('shows key, type, default and meaning', () => {
    assert.ok(
      manifestDocs('services').includes(
        '  drain: duration, default 10s\n      Longest time that a stopping slot gets to finish its work.\n',
      ),
    )
    assert.ok(manifestDocs('environments').includes('  branch: branch, required\n'))
  })

  it('offers the near miss for an unknown section', () => {
    assert.throws(
      () => manifestDocs('enviroments'),
      /there is no section "enviroments"\n {2}HINT: Did you mean environments\?/,
    )
  })
})

function* objectsOf(schema: JsonSchema, path: string): Generator<[string, JsonSchema]> {
  if (schema.type === 'object') yield [path, schema]
  for (const [key, value] of Object.entries(schema.properties ?? {})) yield* objectsOf(value, `${path}.${key}`)
  if (schema.additionalProperties) yield* objectsOf(schema.additionalProperties, `${path}.*`)
  for (const branch of schema.anyOf ?? []) yield* objectsOf(branch, path)
}

function* keysOf(schema: JsonSchema, path: string): Generator<[string, JsonSchema]> {
  for (const [at, object] of objectsOf(schema, path)) {
    for (const [key, value] of Object.entries(object.properties ?? {})) yield [`${at}.${key}`, value]
  }
}
