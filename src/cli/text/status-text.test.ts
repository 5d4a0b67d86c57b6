import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { StatusDocument } from '../../release/documents.ts'
import { RELEASE } from '../live/testing-release.ts'
import { paint } from './paint.ts'
import { statusText } from './status-text.ts'

const NOW = RELEASE.requestedAt + 60_000

function row(service: string, host: string, more: Partial<StatusDocument['services'][number]> = {}) {
  const slot = { service, slot: 'a', state: 'running', restarts: 0, startedAt: NOW - 30_000 } as const
  return {
    service,
    host,
    port: 3080,
    state: 'ready',
    slot,
    warm: false,
    artifact: 'a1b2c3d4',
    release: 12,
    ...more,
  } as const
}

function status(services: StatusDocument['services'], hosts: StatusDocument['hosts'] = []): string {
  const live = { ...RELEASE, live: true, switchedAt: RELEASE.requestedAt }
  const text = statusText(
    { fleet: 'pakashop', environment: 'staging', live, services, hosts },
    { width: 120, paints: paint(false), now: NOW },
  )
  return text.split('\n').slice(1).join('\n')
}

describe('the status of one host', () => {
  it('names no host', () => {
    assert.equal(
      status([row('backend', 'local'), row('config', 'local', { warm: true })]),
      `
SERVICE  STATE  RELEASE  ARTIFACT  SLOT  PORT  RESTARTS   AGE  WARM
backend  ready      #12  a1b2c3d   a     3080         0  30 s
config   ready      #12  a1b2c3d   a     3080         0  30 s  warm`,
    )
  })

  it('tells what a service uses where that is known', () => {
    const slot = { service: 'backend', slot: 'a', state: 'running', restarts: 0, memoryBytes: 56_700_000 } as const

    assert.equal(
      status([row('backend', 'local', { slot })]),
      `
SERVICE  STATE  RELEASE  ARTIFACT  SLOT  PORT  RESTARTS  MEMORY
backend  ready      #12  a1b2c3d   a     3080         0   55 MB`,
    )
  })
})

describe('the status of several hosts', () => {
  it('has a service in one line where it is the same, and in several where it differs', () => {
    const other = { service: 'config', slot: 'b', state: 'running', restarts: 2, startedAt: NOW - 5_000 } as const
    const { release: _, ...differing } = row('config', 'web-3', { artifact: 'ffff0000', differs: true })

    assert.equal(
      status([
        row('backend', 'web-1', { warm: true }),
        row('config', 'web-1'),
        row('backend', 'web-2'),
        row('config', 'web-2', { slot: other }),
        differing,
      ]),
      `
SERVICE  HOST          STATE  RELEASE  ARTIFACT  SLOT  PORT  RESTARTS   AGE  WARM    DEVIATION
backend  web-1, web-2  ready      #12  a1b2c3d   a     3080         0  30 s  1 of 2
config   web-1, web-2  ready      #12  a1b2c3d   a, b  3080         2   5 s
config   web-3         ready           ffff000   a     3080         0  30 s          not as released`,
    )
  })

  it('says of a host that it is away, and of one that is behind since when and what to do', () => {
    const behind = { since: 11, why: 'was left out of release 11' }

    assert.equal(
      status(
        [],
        [
          { host: 'web-1', reachable: false, router: 'stopped', problem: 'did not answer in time', behind },
          { host: 'web-2', reachable: true, router: 'stopped', release: 12 },
          { host: 'web-3', reachable: true, router: 'running', release: 9 },
          { host: 'web-4', reachable: true, router: 'running', release: 13 },
        ],
      ),
      `✗ host web-1 cannot be reached: did not answer in time
! host web-1 was left out of release 11: others send it nothing until \`drover hosts heal staging web-1\`
✗ the router on host web-2 is stopped
! on host web-3 the set of release 9 is live`,
    )
  })
})
