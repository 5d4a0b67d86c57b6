import type { Route } from './router.ts'

/** Where every route listens, for the programs of its own host. */
export const LOOPBACK = '127.0.0.1'

/** An address of the host that a route listens on. */
export interface Listen {
  readonly service: string
  readonly address: string
  readonly port: number
}

export function listensOf({ service, port, listen = [] }: Route): Listen[] {
  return [...new Set([LOOPBACK, ...listen])].map((address) => ({ service, address, port }))
}
