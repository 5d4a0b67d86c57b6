import type { ReleaseDocument } from '../../release/documents.ts'
import type { EventBody, ServiceState } from '../../release/records.ts'
import { reduce, viewOf } from './state.ts'
import type { ReleaseView } from './state.ts'

/** The moment at which the releases of these tests were asked for. */
export const ASKED_AT = Date.UTC(2026, 10, 22, 3, 0, 0)

export const RELEASE: ReleaseDocument = {
  fleet: 'pakashop',
  environment: 'staging',
  number: 12,
  goal: 'deploy',
  phase: 'queued',
  live: false,
  actor: 'anna',
  repository: '/srv/pakashop',
  branch: 'main',
  commit: '3f9c2a1d5e7b9c0a1b2c3d4e5f60718293a4b5c6',
  subject: 'Coupon: round half up',
  requestedAt: ASKED_AT,
  problems: [],
  deviations: [],
}

export const PAKASHOP: readonly string[] =
  'analytics backend config coupon fraud gateway invoicing loyalty moderation notifications pricing recommendations reconciliation reports scheduler search settlement tracking whatsapp'.split(
    ' ',
  )

/** A thing that happened, and how many seconds after the release was asked for. */
export type Happening = readonly [seconds: number, body: EventBody]

export function happened(happenings: readonly Happening[], release = RELEASE): ReleaseView {
  return happenings.reduce(
    (view, [seconds, body]) => reduce(view, { at: ASKED_AT + seconds * 1000, body }),
    viewOf(release),
  )
}

export function does(
  service: string,
  state: ServiceState,
  more: { ms?: number; detail?: string; host?: string } = {},
): EventBody {
  return { kind: 'service', service, state, host: 'local', ...more }
}

/** A plan in which the named services change and the others of Pakashop stay. */
export function planChanging(changed: readonly string[], change = 'change'): EventBody {
  const services = PAKASHOP.map((service) =>
    changed.includes(service)
      ? { service, change, reasons: [`services/${service}/server.js changed`] }
      : { service, change: 'same', reasons: [] },
  )
  const same = PAKASHOP.length - changed.length
  return { kind: 'plan', hash: '5e'.repeat(32), counts: { add: 0, change: changed.length, remove: 0, same }, services }
}

/** One service changed, from the question to the answer. */
export const ONE_CHANGED: readonly Happening[] = [
  [0, { kind: 'phase', phase: 'source' }],
  [0.2, { kind: 'phase', phase: 'build' }],
  ...PAKASHOP.filter((name) => name !== 'coupon').map((name): Happening => [
    0.3,
    { kind: 'service', service: name, state: 'reused' },
  ]),
  [0.3, { kind: 'service', service: 'coupon', state: 'building' }],
  [1.1, { kind: 'output', service: 'coupon', line: 'added 57 packages in 700ms\n' }],
  [2.4, { kind: 'service', service: 'coupon', state: 'built', ms: 2100 }],
  [2.4, { kind: 'phase', phase: 'plan' }],
  [2.5, planChanging(['coupon'])],
  [2.5, { kind: 'phase', phase: 'gate' }],
  [2.6, { kind: 'phase', phase: 'stage' }],
  [2.7, does('coupon', 'staged')],
  [2.7, { kind: 'phase', phase: 'start' }],
  [2.8, does('coupon', 'starting')],
  [3.6, does('coupon', 'ready', { ms: 800 })],
  [3.6, { kind: 'phase', phase: 'switch' }],
  [3.7, { kind: 'switched', host: 'local', services: 1, ms: 4 }],
  [3.7, { kind: 'phase', phase: 'verify' }],
  [4.2, { kind: 'watch', requests: 102, failed: 0, rescued: 0, remainingMs: 4500 }],
  [4.7, { kind: 'watch', requests: 205, failed: 0, rescued: 0, remainingMs: 4000 }],
  [5.2, { kind: 'watch', requests: 311, failed: 0, rescued: 1, remainingMs: 3500 }],
  [8.7, { kind: 'watch', requests: 1204, failed: 0, rescued: 1, remainingMs: 0 }],
  [8.7, { kind: 'phase', phase: 'keep' }],
  [8.9, { kind: 'ended', outcome: 'kept', problems: [], traffic: { requests: 1530, failed: 0, rescued: 1 }, ms: 8900 }],
]
