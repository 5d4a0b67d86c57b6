import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { probeArguments } from './probe-script.ts'
import { readPublicKey } from './public-keys.ts'
import { readState } from './state.ts'
import { FINGERPRINT, LOGIN_KEY } from './trial-state.ts'

describe('the look at a host', () => {
  it('tells of this machine what is so', () => {
    const folder = mkdtempSync(join(tmpdir(), 'drover-look-'))
    after(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'file'), '')
    const words = { asRoot: false, user: userInfo().username, folders: [folder, join(folder, 'file'), '/nonexistent'] }

    const answer = execFileSync('sh', probeArguments(words), { encoding: 'utf8' })

    const state = readState(`some noise of a login shell\n${answer}more noise\n`)
    assert.equal(state?.kernel, 'Linux')
    assert.equal(state.login.user, userInfo().username)
    assert.equal(state.user?.home, userInfo().homedir)
    assert.equal(state.folders.get(folder)?.kind, 'filled')
    assert.equal(state.folders.get(join(folder, 'file'))?.kind, 'file')
    assert.equal(state.folders.has('/nonexistent'), false)
    assert.ok(state.programs.has('tar') && state.disk.every(({ freeBytes }) => freeBytes > 0))
  })

  const garbage: [name: string, answer: string][] = [
    ['nothing', ''],
    ['noise', 'Welcome!\nYou have mail.\n'],
    ['an answer that was cut off', 'drover-look 1\nlogin admin /home/admin\nkernel Linux\n'],
    ['an answer without its words', 'drover-look 1\ndrover-look end\n'],
    ['lines that mean nothing', 'drover-look 1\n\n = \nkernel\nlogin\ndrover-look end\n'],
  ]
  for (const [name, answer] of garbage) {
    it(`does not take ${name} for an answer`, () => {
      assert.equal(readState(answer), undefined)
    })
  }

  it('leaves out what it cannot read', () => {
    const answer = `drover-look 1
login admin /home/admin
rights refused c3VkbzogYSBwYXNzd29yZCBpcyByZXF1aXJlZA==
kernel Linux
disk plenty of it
folder somewhere
user drover
libc musl
drover-look end
`

    const state = readState(answer)

    assert.deepEqual(state?.login, {
      user: 'admin',
      home: '/home/admin',
      rights: 'refused',
      said: 'sudo: a password is required',
      keys: '',
    })
    assert.deepEqual([state.disk, state.folders.size, state.user, state.glibc], [[], 0, undefined, undefined])
  })
})

describe('a public key', () => {
  it('is known by its fingerprint, whatever stands around it', () => {
    const [type, blob] = LOGIN_KEY.split(' ')
    const lines = [LOGIN_KEY, `  ${type} ${blob}  `, `command="echo ssh-rsa x",from="10.0.0.1" ${LOGIN_KEY} at home\r`]

    assert.deepEqual(
      lines.map((line) => readPublicKey(line)?.fingerprint),
      [FINGERPRINT, FINGERPRINT, FINGERPRINT],
    )
    assert.equal(readPublicKey(lines[2]!)?.comment, 'admin at home')
  })

  it('is nothing else', () => {
    const others = [
      '',
      `# ${LOGIN_KEY}`,
      '-----BEGIN OPENSSH PRIVATE KEY-----',
      'ssh-ed25519',
      'ssh-ed25519 AAAA admin',
    ]

    assert.deepEqual(
      others.filter((line) => readPublicKey(line) !== undefined),
      [],
    )
  })
})
