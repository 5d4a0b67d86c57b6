import { isIPv6 } from 'node:net'

/** An address and a port as nginx.conf has them: `10.0.0.2:3080`, `[fd00::2]:3080`, `web-1.example.com:3080`. */
export function endpoint(address: string, port: number): string {
  if (isIPv6(address)) return `[${address}]:${checkedPort(port)}`
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(address)) {
    throw new TypeError(`not an address or a name of a host: ${JSON.stringify(address)}`)
  }
  return `${address}:${checkedPort(port)}`
}

export function checkedPort(port: number): number {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new TypeError(`not a port: ${port}`)
  }
  return port
}
