import { randomBytes } from 'node:crypto'
import { between, type Draw } from './random.ts'
import type { RequestKind, Target } from './traffic.ts'

export interface PakashopAddress {
  readonly host: string
  /** Added to every port of the document. */
  readonly portOffset: number
  /** Makes the order references of this run its own. */
  readonly run: string
}

const UPLOAD_KIB = [64, 256] as const
const PRODUCTS = 60
const CUSTOMERS = 50

/** Every service of examples/pakashop by its stable port: reads and writes, some slow answers, some uploads. */
export function pakashopTargets({ host, portOffset, run }: PakashopAddress): Target[] {
  return Object.entries(kindsByService(run)).map(([key, kinds]) => {
    const [service = key, port] = key.split(':')
    return { service, host, port: Number(port) + portOffset, kinds }
  })
}

function kindsByService(run: string): Record<string, RequestKind[]> {
  const order = orders(run)
  return {
    'config:3085': [get('/flags')],
    'gateway:8000': [
      get((draw) => `/api/v1/products/${sku(draw)}`, 6),
      get((draw) => `/api/v1/quotes/${sku(draw)}`, 3),
      post('/api/v1/orders', order, 2),
      post((draw) => `/api/v1/products/${sku(draw)}/image`, upload),
    ],
    'backend:3080': [
      get('/products', 3),
      get((draw) => `/products/${sku(draw)}`, 8),
      post('/orders', order, 4),
      post((draw) => `/products/${sku(draw)}/image`, upload),
    ],
    'search:3005': [get((draw) => `/search?q=${['lamp', 'woven', 'brass', 'valley'][between(draw, 0, 3)]}`)],
    'analytics:3007': [get('/events'), post('/events', () => '{"kind":"page-view"}', 3)],
    'notifications:3090': [get('/notifications'), post('/notifications', () => '{"customer":"c","text":"sent"}')],
    'tracking:3120': [
      get((draw) => `/shipments/${between(draw, 1, CUSTOMERS)}`),
      post(
        (draw) => `/shipments/${between(draw, 1, CUSTOMERS)}`,
        () => '{"latitude":24.7,"longitude":46.6}',
      ),
    ],
    'moderation:3110': [
      get('/moderation?text=a+genuine+lamp', 4),
      post('/moderation', () => '{"text":"surely no scam"}'),
    ],
    'recommendations:3100': [
      get((draw) => `/recommendations/${customer(draw)}`, 3),
      post('/recommendations', (draw) => JSON.stringify({ customer: customer(draw), sku: sku(draw) })),
    ],
    'fraud:3006': [
      get((draw) => `/checks/${customer(draw)}`),
      post('/checks', (draw) => JSON.stringify({ customer: customer(draw), cents: between(draw, 100, 9000) })),
    ],
    'coupon:3008': [get('/coupons/HARVEST', 4), post('/coupons/FRIDAY/redemptions', () => '{}')],
    'loyalty:3010': [
      get((draw) => `/points/${customer(draw)}`, 2),
      post(
        (draw) => `/points/${customer(draw)}`,
        () => '{"points":5}',
      ),
    ],
    'whatsapp:3009': [get('/messages'), post('/messages', () => '{"to":"+966500000000","text":"on its way"}')],
    'reports:3011': [get('/reports/summary', 3), get('/reports/sales')],
    'invoicing:3013': [get('/invoices', 2), post('/invoices', () => '{"reference":"r","cents":1900}')],
    'pricing:3014': [get((draw) => `/quotes/${sku(draw)}`)],
    'scheduler:3004': [get('/schedules'), get('/jobs')],
    'settlement:3016': [get('/settlements'), get('/jobs')],
    'reconciliation:3012': [get('/reconciliations'), get('/jobs')],
  }
}

type Path = string | ((draw: Draw) => string)

function get(path: Path, weight = 1): RequestKind {
  return { method: 'GET', path: asFunction(path), weight }
}

function post(path: Path, body: (draw: Draw) => string | Uint8Array, weight = 1): RequestKind {
  return { method: 'POST', path: asFunction(path), body, weight }
}

function asFunction(path: Path): (draw: Draw) => string {
  return typeof path === 'string' ? () => path : path
}

function sku(draw: Draw): string {
  return `sku-${between(draw, 1, PRODUCTS)}`
}

function customer(draw: Draw): string {
  return `customer-${between(draw, 1, CUSTOMERS)}`
}

/** Every order has a reference of its own, so that the database can tell whether one was sent to it twice. */
function orders(run: string): (draw: Draw) => string {
  let n = 0
  return (draw) => JSON.stringify({ reference: `${run}-${++n}`, customer: customer(draw), sku: sku(draw), quantity: 1 })
}

const picture = randomBytes(UPLOAD_KIB[1] * 1024)

function upload(draw: Draw): Uint8Array {
  return picture.subarray(0, between(draw, UPLOAD_KIB[0] * 1024, UPLOAD_KIB[1] * 1024))
}
