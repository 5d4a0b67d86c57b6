/**
 * `node forwarder.ts <address> <port>...`: what comes in on a port of this address goes to the same port of loopback. The
 * hosts of the lab reach this machine's stores so. A process of its own, because the traffic must not wait for it.
 */
import { connect, createServer } from 'node:net'
import { pipeline } from 'node:stream'

const [address, ...ports] = process.argv.slice(2)
const listening = ports.map(
  (port) =>
    new Promise<void>((resolve, reject) => {
      const server = createServer({ noDelay: true }, (incoming) => {
        const outgoing = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
        // An end with an error, of a service that was killed, is an end.
        pipeline(incoming, outgoing, incoming, () => undefined)
      })
      server.once('error', reject).listen(Number(port), address, resolve)
    }),
)
await Promise.all(listening)
process.stdout.write('listening\n')
// Who started it may be killed; then this ends too.
process.stdin.resume().once('end', () => process.exit())
