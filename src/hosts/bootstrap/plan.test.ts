import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HELPER_TEXT } from '../drover-host/drover-host.ts'
import type { HostNeeds } from './needs.ts'
import { isReady, itemOf, judge, planBootstrap } from './plan.ts'
import { sudoersFor } from './root-access.ts'
import type { HostState } from './state.ts'
import { BARE, FINGERPRINT, LOGIN_KEY, NEEDS, OTHER_KEY, READY } from './trial-state.ts'

function signs(needs: HostNeeds, state: HostState): string {
  const short = { add: '+', change: '~', same: '=', cannot: '!' }
  return planBootstrap(needs, state)
    .filter(({ sign }) => sign !== 'same')
    .map(({ name, sign }) => `${short[sign]}${name}`)
    .join(' ')
}

/** What is told of the one item that is not as it should be. */
function told(needs: HostNeeds, state: HostState): string {
  const [item, ...others] = planBootstrap(needs, state).filter(({ sign }) => sign !== 'same')
  assert.deepEqual(others, [])
  return [item?.what, item?.why, item?.hint].filter((part) => part !== undefined).join(' | ')
}

describe('what a host lacks', () => {
  it('on a bare one is everything but what Debian brings', () => {
    assert.equal(signs(NEEDS, BARE), '+user +key +services +folders +roots +helper +sudo +node +nginx +journal')
  })

  it('on a ready one is nothing, whoever looks', () => {
    const { sudoers: _, nginx, ...seen } = READY
    const itself: HostState = {
      ...seen,
      helperAnswers: true,
      nginx,
      login: { user: 'drover', home: '/home/drover', rights: 'none', keys: '' },
    }
    const { access: _access, ...look } = NEEDS

    assert.equal(signs(NEEDS, READY), '')
    assert.equal(isReady(judge(look, itself).map(itemOf)), true)
    assert.equal(signs(NEEDS, itself), '')
  })

  const altered: [name: string, change: Partial<HostState>, expected: string][] = [
    ['the helper, altered by hand', { helper: { ...READY.helper!, text: `${HELPER_TEXT}# mine\n` } }, '~helper'],
    ['the helper, writable by others', { helper: { ...READY.helper!, mode: '777' } }, '~helper'],
    ['something else in its place', { helper: { ...READY.helper!, text: '#!/bin/sh\n' } }, '~helper'],
    ['a rule of sudo that was widened', { sudoers: 'drover ALL=(ALL) NOPASSWD: ALL\n' }, '~sudo'],
    ['a user that left a group', { user: { ...READY.user!, groups: ['drover', 'adm'] } }, '~user'],
    ['a user whose keys are gone', { user: { ...READY.user!, keys: '' } }, '+key'],
    ['another Node', { node: { ...READY.node, sha256: 'cd'.repeat(32) } }, '~node'],
    ['a link to the Node of before', { node: { ...READY.node, link: '/usr/local/lib/drover/node-v22.0.0' } }, '~node'],
    ['an nginx that was not told yet', { nginx: { ...READY.nginx, told: false } }, '~nginx'],
    ['services that have come or gone', { nginx: { ...READY.nginx, upstreams: new Map() } }, '~nginx'],
    [
      'our own file, broken',
      { nginx: { ...READY.nginx, file: '{', complaint: 'unexpected end in /etc/nginx/conf.d/drover.conf:1' } },
      '~nginx',
    ],
    ['roots that lack one', { roots: '/opt/other\n' }, '~roots'],
    [
      'a folder that belongs to root and is empty',
      { folders: new Map([['/srv/drover', { kind: 'folder', owner: 'root', mode: '755' }]]) },
      '~folders',
    ],
  ]
  for (const [name, change, expected] of altered) {
    it(`is put right: ${name}`, () => {
      assert.equal(signs(NEEDS, { ...READY, ...change }), expected)
    })
  }

  it('what a person has decided about logs stays', () => {
    assert.equal(signs(NEEDS, { ...READY, journal: { settings: 'SystemMaxUse=200M\n' } }), '')
    assert.equal(signs(NEEDS, { ...READY, journal: { file: '[Journal]\n', settings: '' } }), '')
  })

  it('folders of other fleets stay allowed', () => {
    const works = planBootstrap({ ...NEEDS, roots: ['/opt/shop'] }, { ...READY, roots: '/srv/drover\n/opt/other\n' })

    const write = works.flatMap(({ operations }) => operations).find(({ kind }) => kind === 'write')
    assert.deepEqual(write, {
      kind: 'write',
      path: '/etc/drover/roots',
      content: '/srv/drover\n/opt/other\n/opt/shop\n',
    })
  })
})

describe('what stands in the way of a bootstrap', () => {
  const machines: [name: string, change: Partial<HostState>, expected: RegExp][] = [
    ['another kernel', { kernel: 'FreeBSD' }, /kernel is FreeBSD, not Linux/],
    [
      'another family',
      { os: { id: 'alpine', like: [], name: 'Alpine Linux v3.20' } },
      /Alpine Linux v3\.20 is not of Debian's/,
    ],
    ['no systemd', { systemd: false, init: 'tini' }, /process 1 is tini/],
  ]
  for (const [name, change, expected] of machines) {
    it(`a machine with ${name}, and nothing else is said of it`, () => {
      assert.match(told(NEEDS, { ...BARE, ...change }), expected)
    })
  }

  it('all of it at once', () => {
    const state: HostState = {
      ...BARE,
      machine: 'aarch64',
      login: { ...BARE.login, rights: 'refused', said: 'sudo: a password is required', keys: OTHER_KEY },
      disk: [{ path: '/', mount: '/', freeBytes: 1024 }],
      nginx: { ...BARE.nginx, complaint: 'nginx: [emerg] unexpected "}" in /etc/nginx/nginx.conf:9' },
    }

    assert.match(signs(NEEDS, state), /^!rights !disk \+user !key .*!node !nginx/)
  })

  it('sudo that asks for a password, with what to do about it', () => {
    const login = { ...BARE.login, rights: 'refused', said: 'we trust you\nsudo: a password is required' } as const

    const [rights] = planBootstrap(NEEDS, { ...BARE, login })

    assert.equal(rights?.what, 'sudo does not let admin become root without a password (sudo: a password is required)')
    assert.match(rights?.hint ?? '', /--as <user>.*echo 'admin ALL=\(ALL\) NOPASSWD: ALL' \| sudo tee/)
  })

  it('a helper of a newer Drover', () => {
    const helper = { ...READY.helper!, text: HELPER_TEXT.replace(/^VERSION=\d+$/m, 'VERSION=999') }

    assert.match(told(NEEDS, { ...READY, helper }), /newer Drover, version 999.*Update this Drover/)
  })

  it('a host that is ready for another deploy user', () => {
    assert.match(told(NEEDS, { ...READY, sudoers: sudoersFor('deploy') }), /gives the helper to deploy/)
  })

  it('a folder with files of others, and links', () => {
    const taken = (kind: 'filled' | 'link' | 'file'): HostState => ({
      ...READY,
      folders: new Map([['/srv/drover', { kind, owner: 'www-data', mode: '755' }]]),
    })

    assert.match(told(NEEDS, taken('filled')), /\/srv\/drover is there already, with files of www-data/)
    assert.match(told(NEEDS, taken('link')), /a link/)
    assert.match(told(NEEDS, taken('file')), /a file/)
  })

  it('a deploy user that may not log in, or is root', () => {
    const locked = { ...READY.user!, shell: '/usr/sbin/nologin' }

    assert.match(told(NEEDS, { ...READY, user: locked }), /may not log in/)
    assert.match(signs({ ...NEEDS, user: 'root' }, BARE), /!user/)
  })

  it('packages, where there is no apt-get to install them', () => {
    const programs = new Set(['apt-get', 'sudo', 'tar', 'perl', 'flock'])
    const needs = { ...NEEDS, python: {} }

    const [packages] = planBootstrap(needs, { ...READY, programs })

    assert.equal(packages?.what, 'nginx, python3')
    assert.equal(packages?.sign, 'add')
  })
})

describe('the key of the deploy user', () => {
  const keyLines = (needs: HostNeeds, state = BARE): readonly string[] => {
    const key = planBootstrap(needs, state).find(({ name }) => name === 'key')
    const [run] = key?.operations ?? []
    return run?.kind === 'run' ? run.argv.slice(run.argv.indexOf('keys') + 1) : []
  }

  it('is the one that logged in, of several, with its restrictions', () => {
    const restricted = `from="10.0.0.0/8",no-pty ${LOGIN_KEY}`
    const login = { ...BARE.login, keys: `${OTHER_KEY}\n${restricted}\n` }

    assert.deepEqual(keyLines(NEEDS), [LOGIN_KEY])
    assert.deepEqual(keyLines(NEEDS, { ...BARE, login }), [restricted])
  })

  it('is the one that was given', () => {
    assert.deepEqual(keyLines({ ...NEEDS, access: { given: [OTHER_KEY], fingerprint: FINGERPRINT } }), [OTHER_KEY])
  })

  it('is asked for where it cannot be told', () => {
    const state = { ...BARE, login: { ...BARE.login, keys: '' } }

    const key = planBootstrap(NEEDS, state).find(({ name }) => name === 'key')

    assert.equal(key?.sign, 'cannot')
    assert.match(key.hint ?? '', /--key/)
  })
})

describe('the Node of services', () => {
  it('is not sent to a host that it does not fit', () => {
    const { glibc: _, ...musl } = READY
    const found = (state: HostState): string | undefined =>
      planBootstrap(NEEDS, state).find(({ name }) => name === 'node')?.what

    assert.match(found({ ...BARE, machine: 'aarch64' }) ?? '', /is for x86_64, the host is aarch64/)
    assert.match(found({ ...BARE, glibc: '2.27' }) ?? '', /needs the GNU C library 2\.28, the host has 2\.27/)
    assert.match(found({ ...musl, node: {} }) ?? '', /which the host does not have/)
  })

  it('may be laid by hand there', () => {
    assert.equal(signs(NEEDS, { ...READY, machine: 'aarch64' }), '')
  })

  it('is of no concern where no service is written in it', () => {
    const { node: _, ...needs } = NEEDS

    assert.equal(
      planBootstrap(needs, BARE).some(({ name }) => name === 'node'),
      false,
    )
  })
})
