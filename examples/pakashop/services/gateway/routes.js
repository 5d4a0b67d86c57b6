/** First part of a path below /api/v1/ -> the service that answers it, and its port before an environment's offset. */
export const routes = {
  flags: ['config', 3085],
  products: ['backend', 3080],
  orders: ['backend', 3080],
  notifications: ['notifications', 3090],
  recommendations: ['recommendations', 3100],
  moderation: ['moderation', 3110],
  shipments: ['tracking', 3120],
  search: ['search', 3005],
  checks: ['fraud', 3006],
  events: ['analytics', 3007],
  coupons: ['coupon', 3008],
  messages: ['whatsapp', 3009],
  points: ['loyalty', 3010],
  reports: ['reports', 3011],
  invoices: ['invoicing', 3013],
  quotes: ['pricing', 3014],
}

const CONFIG_PORT = 3085

/**
 * Address of a service. The gateway starts before the services that it leads to, so it cannot need them and is not told where
 * they are; but all ports of an environment are moved by the same offset, and config's shows by how much.
 */
export function addressOf([name, port]) {
  const told = process.env[`${name.toUpperCase()}_URL`]
  if (told) return new URL(told)
  const config = new URL(process.env.CONFIG_URL)
  config.port = String(port + Number(config.port) - CONFIG_PORT)
  return config
}
