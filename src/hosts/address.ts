import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { refusal } from '../problem/problem.ts'

/**
 * The IP address of a host by its address or name: what nginx listens on, and what survives a start without a name server. Names
 * are resolved on this machine. A Refusal for a loopback address: other hosts cannot mean this host by it.
 */
export async function ipAddress(host: string, address: string): Promise<string> {
  const found = isIP(address) === 0 ? await resolved(host, address) : address
  if (!/^(?:127\.|::1$)/.test(found)) return found
  throw refusal(
    'hosts/loopback',
    `host ${host}`,
    `${address} is a loopback address, at which no other host reaches it`,
    HINT,
  )
}

const HINT = 'Give the host an `address` in drover.yaml.'

async function resolved(host: string, name: string): Promise<string> {
  try {
    return (await lookup(name)).address
  } catch (cause) {
    const what = `the name ${name} has no address on this machine: ${cause instanceof Error ? cause.message : String(cause)}`
    throw refusal('hosts/unresolved', `host ${host}`, what, HINT, { cause })
  }
}
