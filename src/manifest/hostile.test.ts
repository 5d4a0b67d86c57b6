import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tiers } from './graph.ts'
import { loadManifest } from './load.ts'

const VALID = 'fleet: f\nenvironments: { production: { branch: main } }\nservices: { a: { language: go } }\n'
const MIB = 1024 * 1024

const refused: Record<string, { text: string; code: string; place: string }> = {
  'more than 1 MiB': { text: `${VALID}# ${'x'.repeat(MIB)}\n`, code: 'too-large', place: '1:1' },
  'more words than anybody writes': { text: '#\n'.repeat(110_000), code: 'too-large', place: '1:1' },
  'a NUL byte': { text: `${VALID}x-a: a\0b\n`, code: 'not-text', place: '4:7' },
  'a terminal escape': { text: `${VALID}x-a: \u001b[31m\n`, code: 'not-text', place: '4:6' },
  'bytes that were no UTF-8': { text: `${VALID}x-a: \ufffd\n`, code: 'not-text', place: '4:6' },
  'half a surrogate pair': { text: `${VALID}x-a: \ud800\n`, code: 'not-text', place: '4:6' },
  'lists in lists': { text: `x-a: ${'['.repeat(5000)}${']'.repeat(5000)}`, code: 'too-deep', place: '1:55' },
  'mappings in mappings': { text: '{a: '.repeat(5000), code: 'too-deep', place: '1:201' },
  'dashes in dashes': { text: '- '.repeat(20_000), code: 'too-deep', place: '1:101' },
  'a staircase': {
    text: Array.from({ length: 300 }, (_, n) => `${' '.repeat(n)}a:`).join('\n'),
    code: 'too-deep',
    place: '51:51',
  },
  'a bomb of aliases': { text: bomb(), code: 'too-large', place: '1:1' },
  'a bomb of aliases behind x- keys': { text: VALID + bomb().replaceAll(/^/gm, 'x-'), code: 'too-large', place: '1:1' },
  'nothing but closing brackets': { text: ']'.repeat(200_000), code: 'yaml', place: '1:1' },
  '100,000 bad escapes': { text: `"${'\\q'.repeat(100_000)}"`, code: 'yaml', place: '1:2' },
}

describe('a hostile manifest', () => {
  for (const [title, { text, code, place }] of Object.entries(refused)) {
    it(`is refused for ${title}`, async () => {
      const { fleet, problems } = await loadManifest(text, { file: 'drover.yaml' })

      assert.equal(fleet, undefined)
      assert.ok(problems.length <= 20, `${problems.length} problems`)
      assert.equal(problems[0]?.code, `manifest/${code}`)
      assert.equal(`${problems[0]?.where.line}:${problems[0]?.where.column}`, place)
    })
  }

  it('may begin with a byte order mark', async () => {
    const { fleet, problems } = await loadManifest(`\ufeff${VALID}oops: 1\n`, { file: 'drover.yaml' })

    assert.equal(fleet, undefined)
    assert.deepEqual(
      problems.map(({ code, where }) => [code, where.line, where.column]),
      [['manifest/unknown-key', 4, 1]],
    )
  })

  it('gets a complaint for each of 2,000 mistakes', async () => {
    const services = Array.from({ length: 1000 }, (_, n) => `  s${n}: { language: go, prt: 1, needs: [t${n}] }`)

    const { problems } = await loadManifest(
      `fleet: f\nenvironments: { p: { branch: main } }\nservices:\n${services.join('\n')}\n`,
      { file: 'drover.yaml' },
    )

    assert.equal(problems.length, 2000)
  })
})

describe('2,000 services', () => {
  it('in one chain are a fleet', async () => {
    const services = Array.from({ length: 2000 }, (_, n) => {
      const needs = n === 0 ? '' : `service-${n - 1}`
      return `  service-${n}: { port: ${3000 + n}, language: go, needs: [${needs}], drain: 5s }`
    })

    const { fleet, problems } = await loadManifest(
      `fleet: f\nenvironments:\n  a: { branch: main }\n  b: { branch: main, ports: 3000 }\nservices:\n${services.join('\n')}\n`,
      { file: 'drover.yaml' },
    )

    assert.deepEqual(problems, [])
    assert.equal(fleet && tiers(fleet.services).length, 2000)
  })
})

/** Nine to the ninth parts, were they written out. */
function bomb(): string {
  const lines = Array.from({ length: 9 }, (_, n) => {
    const entry = n === 0 ? 'x' : `*a${n - 1}`
    return `k${n}: &a${n} [${Array.from({ length: 9 }, () => entry).join(', ')}]`
  })
  return lines.join('\n')
}
