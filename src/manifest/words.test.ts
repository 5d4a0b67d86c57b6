import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import {
  branch,
  commandLine,
  duration,
  hostFolder,
  sshDestination,
  name,
  repositoryPath,
  share,
  urlPath,
  variableName,
} from './words.ts'

describe('a branch', () => {
  const good = [
    'main',
    'feature/x',
    'hotfix/a-b_c.d',
    'release-1.0',
    'ünïcode',
    'a@b',
    'a{b',
    '$(touch-x)',
    "a'b",
    'a;b',
    'a|b&c',
    'x"y',
    '#1',
  ]
  const bad = [
    '',
    '-x',
    '--help',
    '.x',
    'x/.y',
    'x.lock',
    'x.lock/y',
    'x..y',
    'x y',
    'x~1',
    'x^',
    'x:y',
    'x?',
    'x*',
    'x[1]',
    'x\\y',
    '/x',
    'x/',
    'x//y',
    'x.',
    'x@{y',
    'a\u0007b',
    'a\u007fb',
  ]

  it('is one exactly when git says so', () => {
    for (const candidate of [...good, ...bad]) {
      const git = spawnSync('git', ['check-ref-format', '--branch', candidate], { cwd: '/', stdio: 'ignore' })

      assert.equal(git.status === 0, good.includes(candidate), `git on ${JSON.stringify(candidate)}`)
      assert.equal(branch.safeParse(candidate).success, git.status === 0, JSON.stringify(candidate))
    }
  })
})

describe('a branch that is only a short word for another', () => {
  it('is refused, though git would look it up', () => {
    for (const word of ['@', '@{-1}', 'HEAD']) assert.equal(branch.safeParse(word).success, false, word)
  })
})

describe('a duration', () => {
  it('is read in milliseconds', () => {
    const read = ['0s', '500ms', '10s', '5m', '1h', '2d', '24d'].map((word) => duration({ least: '0s' }).parse(word))

    assert.deepEqual(read, [0, 500, 10_000, 300_000, 3_600_000, 172_800_000, 2_073_600_000])
  })

  it('is never longer than a timer of Node can be', () => {
    assert.equal(duration({ least: '0s' }).safeParse('25d').success, false)
    assert.ok(duration({ least: '0s' }).parse('24d') < 2 ** 31)
  })

  it('needs its unit', () => {
    for (const word of [
      '10',
      10,
      '10S',
      '1.5s',
      '-1s',
      '+1s',
      ' 1s',
      '1s ',
      '1 s',
      '1w',
      's',
      '',
      '1e3s',
      '0x1s',
      '1s1s',
    ]) {
      assert.equal(duration({ least: '0s' }).safeParse(word).success, false, JSON.stringify(word))
    }
    assert.equal(duration({ least: '1ms' }).safeParse('0s').success, false)
  })
})

describe('a share', () => {
  it('is a percentage or a number', () => {
    assert.deepEqual(
      ['1%', '0.5%', '100%', '0%', 0.01, 0, 1].map((word) => share.parse(word)),
      [0.01, 0.005, 1, 0, 0.01, 0, 1],
    )
  })

  it('is nothing else', () => {
    for (const word of ['101%', '-1%', '1', '%', '1 %', 1.1, -0.1, Number.NaN, Infinity])
      assert.equal(share.safeParse(word).success, false, String(word))
  })
})

describe('a path in the repository', () => {
  it('is given back in one form', () => {
    const read = [
      'a',
      './a',
      'a/',
      'a//b',
      './a/./b/',
      '.',
      './',
      'a b',
      "it's",
      '$(x)',
      '@scope/x',
      '(group)/[id]',
      'a/.hidden',
      'gitx',
    ].map((path) => repositoryPath.parse(path))

    assert.deepEqual(read, [
      'a',
      'a',
      'a',
      'a/b',
      'a/b',
      '.',
      '.',
      'a b',
      "it's",
      '$(x)',
      '@scope/x',
      '(group)/[id]',
      'a/.hidden',
      'gitx',
    ])
  })

  it('never leads out of it, into .git or into an option', () => {
    for (const path of [
      '',
      '/',
      '/a',
      '..',
      'a/..',
      '../a',
      'a/../../b',
      '.git',
      '.GIT/x',
      'a/.git',
      '-x',
      './-x',
      './/-x',
      ':x',
      './:x',
      'a\0',
      'a\nb',
      'a\u001bb',
      '\ud800',
    ]) {
      assert.equal(repositoryPath.safeParse(path).success, false, JSON.stringify(path))
    }
  })
})

describe('words that stand in files of other programs', () => {
  const refused = [
    { word: name, texts: ['', 'A', '1a', 'a_b', 'a.b', 'a b', 'a;b', '-a', 'a'.repeat(41), 'constructor', 'ä', 'a\n'] },
    { word: variableName, texts: ['', '1A', 'A-B', 'A B', 'A=B', 'PORT', 'HOST', 'DROVER_', 'DROVER_X', 'A\n', 'Ä'] },
    { word: sshDestination, texts: ['', '-oProxyCommand=x', 'a b', 'a;b', 'a/b', 'a\n', 'ssh://a', 'a@10.0.0.1:22'] },
    {
      word: hostFolder,
      texts: ['', '/', 'a', '/a/', '//a', '/a/../b', '/..', '/.', '/a b', '/a;', '/a\n', '/$a', `/${'a'.repeat(200)}`],
    },
    { word: urlPath, texts: ['', 'a', '//a', '/a b', '/a"', '/a\\', '/a#b', '/a\n', '/ä', '/{a}', 'http://a/'] },
    { word: commandLine, texts: ['', ' ', 'a\nb', 'a\0', 'a\u001b[1m', 'a\n\n'] },
  ]

  it('have no surprise in them', () => {
    for (const { word, texts } of refused) {
      for (const text of texts) assert.equal(word.safeParse(text).success, false, JSON.stringify(text))
    }
  })

  it('are free in what does no harm', () => {
    assert.equal(name.parse('a'.repeat(40)), 'a'.repeat(40))
    assert.equal(variableName.parse('PORTS'), 'PORTS')
    for (const destination of ['web-1.example.org', 'deploy@10.0.0.1', 'deploy@2001:db8::1', 'my_alias'])
      assert.equal(sshDestination.parse(destination), destination)
    assert.equal(hostFolder.parse('/opt/..x/a.b'), '/opt/..x/a.b')
    assert.equal(urlPath.parse('/api/v1/x?y=%20&z=(1)'), '/api/v1/x?y=%20&z=(1)')
    assert.equal(commandLine.parse('node "a b" && echo $X > ü\n'), 'node "a b" && echo $X > ü')
  })
})
