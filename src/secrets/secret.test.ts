/* oxlint-disable typescript/restrict-template-expressions, typescript/no-misused-spread -- misuse is what is tested */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { format, inspect } from 'node:util'
import { deserialize, serialize } from 'node:v8'
import { scrub, scrubUrlCredentials, Secret } from './secret.ts'

const VALUE = 's3cr3t/with space+and"quote'
const secret = new Secret(VALUE)

/** Every way in which a value leaves a program by accident. */
const ways: readonly (readonly [how: string, leak: () => string])[] = [
  ['String', () => String(secret)],
  ['a template', () => `${secret}`],
  ['concatenation', () => 'a' + secret],
  ['a sum', () => String(Number(secret))],
  ['join', () => [secret, secret].join()],
  ['String.raw', () => String.raw`${secret}`],
  ['JSON', () => JSON.stringify({ deep: [{ secret }] })],
  ['inspect', () => inspect(secret)],
  [
    'inspect of what holds it',
    () => inspect({ deep: { map: new Map([[secret, secret]]), set: new Set([secret]) } }, { depth: 9 }),
  ],
  [
    'inspect that ignores our own way',
    () => inspect(secret, { customInspect: false, showHidden: true, depth: 9, getters: true }),
  ],
  ['util.format', () => format('%s %d %i %j %o %O %', secret, secret, secret, secret, secret, secret, secret)],
  ['structuredClone', () => inspect(structuredClone({ secret }), { showHidden: true })],
  [
    'v8.serialize',
    () => inspect(deserialize(serialize(secret)), { showHidden: true }) + serialize(secret).toString('latin1'),
  ],
  ['a spread', () => inspect({ ...secret }, { showHidden: true })],
  ['Object.assign', () => inspect(Object.assign({}, secret))],
  [
    'its properties',
    () => inspect([Reflect.ownKeys(secret), Object.entries(secret), Object.getOwnPropertyDescriptors(secret)]),
  ],
  ['for in', () => Object.keys(secret).join()],
  ['the message of an error', () => inspect(new Error(`failed with ${secret}`))],
  [
    'the cause of an error',
    () => inspect(new Error('failed', { cause: secret })) + format(new Error('failed', { cause: { secret } })),
  ],
  ['a property of an error', () => inspect(Object.assign(new Error('failed'), { secret }))],
  ['an error of many', () => inspect(new AggregateError([secret], String(secret)))],
  ['a URL', () => `${new URL(`http://host/?q=${secret}`)}`],
  ['search parameters', () => String(new URLSearchParams({ q: `${secret}` }))],
  [
    'a failed assertion',
    () =>
      failureOf(() => assert.equal<unknown>(secret, 1)) + failureOf(() => assert.deepEqual<unknown>({ secret }, {})),
  ],
  ['a type error', () => failureOf(() => Reflect.apply(Reflect.get(secret, 'nothing'), secret, []))],
]

function failureOf(fails: () => void): string {
  try {
    fails()
  } catch (error) {
    return inspect(error) + String(error)
  }
  return assert.fail('did not fail')
}

describe('a secret', () => {
  for (const [how, leak] of ways) {
    it(`does not leave by ${how}`, () => {
      const text = leak()

      for (const piece of ['s3cr3t', 'with space', 'and"quote', 'and%22quote']) {
        assert.equal(text.includes(piece), false, text)
      }
    })
  }

  it('does not leave by the console, nor by an error that nobody caught', () => {
    const program = `
      import { Secret } from ${JSON.stringify(import.meta.resolve('./secret.ts'))}
      const secret = new Secret(['uncaught', 'value'].join('-'))
      for (const say of ['log', 'error', 'debug', 'trace']) console[say](secret, { secret })
      console.dir({ secret })
      console.table([{ secret }])
      throw Object.assign(new Error('failed', { cause: secret }), { secret })`

    const run = (): string =>
      execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', stdio: 'pipe' })

    assert.throws(run, (error: { readonly stdout: string; readonly stderr: string }) => {
      assert.match(error.stdout, /\[REDACTED\]/)
      assert.match(error.stderr, /Error: failed/)
      assert.equal((error.stdout + error.stderr).includes('uncaught-value'), false)
      return true
    })
  })

  it('leaves when it is opened', () => {
    assert.equal(secret.open(), VALUE)
    assert.equal(`${secret}`, '[REDACTED]')
    assert.equal(JSON.stringify({ secret }), '{"secret":"[REDACTED]"}')
  })
})

describe('scrubbing', () => {
  const url = new URL('http://user@host')
  url.password = VALUE
  const forms: readonly (readonly [how: string, written: string])[] = [
    ['as it is', VALUE],
    ['twice', `${VALUE}${VALUE}`],
    ['in JSON', JSON.stringify({ VALUE })],
    ['in a part of a URL', `/?q=${encodeURIComponent(VALUE)}`],
    ['in a part of a URL, in lower case', encodeURIComponent(VALUE).toLowerCase()],
    ['in a form', String(new URLSearchParams({ q: VALUE }))],
    ['as the password of a URL', url.href],
    ['in base64', Buffer.from(VALUE).toString('base64')],
    ['in base64 for URLs', Buffer.from(VALUE).toString('base64url')],
    [
      'in a Basic header, wherever it begins',
      ['a:', 'ab:', 'abc:'].map((user) => Buffer.from(`${user}${VALUE}`).toString('base64')).join(),
    ],
    ['in base64 of something longer', Buffer.from(`{"token":"${VALUE}","more":1}`).toString('base64')],
  ]
  for (const [how, written] of forms) {
    it(`finds a secret ${how}`, () => {
      const text = scrub(`before ${written} after`, [secret])

      const visible = [text, ...base64In(text)].join(' ')
      assert.match(text, /^before .*\[REDACTED\].* after$/)
      for (const piece of ['s3cr3t', 'with', 'space', 'quote']) assert.equal(visible.includes(piece), false, visible)
    })
  }

  /** What a reader who decodes base64 would see. */
  function base64In(text: string): string[] {
    const words = text.match(/[\w+/-]{4,}/g) ?? []
    return words.flatMap((word) =>
      [0, 1, 2, 3].map((from) => Buffer.from(word.slice(from), 'base64').toString('latin1')),
    )
  }

  it('takes the longer one first', () => {
    const text = scrub('a hunter2-hunter2 b hunter2 c', [new Secret('hunter2'), new Secret('hunter2-hunter2')])

    assert.equal(text, 'a [REDACTED] b [REDACTED] c')
  })

  it('finds each line of a key, for what is printed line by line', () => {
    const key = new Secret('-----BEGIN KEY-----\nbm90IGEga2V5\r\nYXQgYWxs\n-----END KEY-----\n')

    const lines = key
      .open()
      .split('\n')
      .map((line) => scrub(line, [key]).trim())

    assert.deepEqual(lines, ['[REDACTED]', '[REDACTED]', '[REDACTED]', '[REDACTED]', ''])
  })

  it('takes a secret for text, whatever it looks like', () => {
    const pattern = new Secret(String.raw`$&.*(a+)\d[`)

    assert.equal(scrub(`${pattern.open()} aaaa`, [pattern]), '[REDACTED] aaaa')
  })

  it('leaves what is too short to be told from an innocent word', () => {
    assert.equal(scrub('the cat sat', [new Secret('cat'), new Secret('')]), 'the cat sat')
  })

  it('survives text that is no well-formed Unicode', () => {
    assert.equal(scrub('a \ud800bcde b', [new Secret('\ud800bcde')]), 'a [REDACTED] b')
  })

  const addresses: readonly (readonly [text: string, scrubbed: string])[] = [
    ['postgres://shop:word@db:5432/shop', 'postgres://shop:[REDACTED]@db:5432/shop'],
    ['at redis://:word@cache/0, then', 'at redis://:[REDACTED]@cache/0, then'],
    ['postgres://shop:w@rd@db/shop', 'postgres://shop:[REDACTED]@db/shop'],
    ['HTTPS://a:b@c/d?e=f@g and git+ssh://h:i@j', 'HTTPS://a:[REDACTED]@c/d?e=f@g and git+ssh://h:[REDACTED]@j'],
    ['http://host:8080/a@b', 'http://host:8080/a@b'],
    ['http://host:8080?mail=a@b', 'http://host:8080?mail=a@b'],
    ['ssh git@host:path and 10:20 a@b', 'ssh git@host:path and 10:20 a@b'],
  ]
  for (const [text, scrubbed] of addresses) {
    it(`of ${text} without knowing any secret`, () => {
      assert.equal(scrubUrlCredentials(text), scrubbed)
      assert.equal(scrub(text, []), scrubbed)
    })
  }
})
