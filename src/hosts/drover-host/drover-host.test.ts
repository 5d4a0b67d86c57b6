import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal, refusal } from '../../problem/problem.ts'
import { HELPER_VERSION, checkVersion, explainHelper, helperFailure } from './drover-host.ts'
import { slotUnit, templateUnit, unitStream } from './units.ts'

const sayings: readonly [said: string, code: string | undefined][] = [
  ['sudo: a password is required', 'hosts/sudo-password'],
  ['sudo: a terminal is required to read the password; either use the -S option', 'hosts/sudo-password'],
  ['drover is not in the sudoers file.', 'hosts/sudo-forbidden'],
  [
    "Sorry, user drover is not allowed to execute '/usr/local/sbin/drover-host x' as root on h1.",
    'hosts/sudo-forbidden',
  ],
  ['sudo: /usr/local/sbin/drover-host: command not found', 'hosts/no-helper'],
  ['sh: 1: /usr/local/sbin/drover-host: not found', 'hosts/no-helper'],
  ['sh: 1: exec: sudo: not found', 'hosts/no-sudo'],
  ['sh: line 1: sudo: command not found', 'hosts/no-sudo'],
  ['drover-host: cannot dance', 'hosts/helper-old'],
  ['drover-host refused text: x@.service has a line that is not allowed: 7:New=1', 'hosts/helper-text'],
  ['drover-host refused name: a slot is <service>@a or <service>@b', 'hosts/helper-name'],
  ['drover-host refused root: /opt/x is below neither /srv/drover nor a folder in /etc', 'hosts/root-not-allowed'],
  ['drover-host refused foreign: /etc/systemd/system/x@.service was not made by Drover', 'hosts/foreign-unit'],
  ['Job for x@a.service failed.', undefined],
]
for (const [said, code] of sayings) {
  test(`${JSON.stringify(said)} is ${code ?? 'neither of sudo nor of the helper'}`, () => {
    const failure = helperFailure('web-1', `something before\n${said}\n`)

    assert.equal(failure?.problems[0]?.code, code)
    if (failure !== undefined)
      assert.match(
        failure.problems[0]?.hint ?? '',
        /drover hosts bootstrap web-1|adopt it: .* \(sudo mv \/etc\/systemd\/system\/x@\.service /,
      )
  })
}

test('an older helper, and one that says nothing, are refused; a newer one is not', () => {
  const version = (number: number) => ({ ok: true, stdout: `drover-host ${number} abc\n`, stderr: '' })

  assert.throws(() => checkVersion('web-1', version(HELPER_VERSION - 1)), Refusal)
  assert.throws(() => checkVersion('web-1', { ok: true, stdout: 'hello\n', stderr: '' }), Refusal)
  assert.throws(() => checkVersion('web-1', { ok: false, stdout: '', stderr: 'boom' }), /boom/)
  checkVersion('web-1', version(HELPER_VERSION))
  checkVersion('web-1', version(HELPER_VERSION + 1))
})

test('an error that has nothing to do with the helper stays what it is', () => {
  const other = new TypeError('x')
  const refused = refusal('hosts/fenced', 'host web-1', 'release 3 has taken over')

  assert.equal(explainHelper('web-1', other), other)
  assert.equal(explainHelper('web-1', refused), refused)
})

test('units have names of their environment, and go to the helper one after the other', () => {
  const owner = { fleet: 'shop', environment: 'prod' }

  assert.equal(slotUnit(owner, 'web', 'b'), 'shop-prod-web@b.service')
  assert.equal(
    unitStream(
      new Map([
        [templateUnit(owner, 'web'), 'one\n'],
        [templateUnit(owner, 'api'), 'two\n'],
      ]),
    ),
    '=== shop-prod-web@.service\none\n=== shop-prod-api@.service\ntwo\n',
  )
})
