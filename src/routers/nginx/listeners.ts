import type { Host } from '../../hosts/host.ts'

/** Who listens on a port of a host. `pid` and `program` are absent when it is a process of another user. */
export interface Listener {
  readonly port: number
  /** Absent for a socket of IPv6, which takes an address of IPv4 too, or does not. */
  readonly address?: string
  readonly pid?: number
  readonly program?: string
}

/**
 * Reads the kernel's tables, because a host need not have `ss`: lines `listener <port> <address> <pid> <program>`. The
 * argument is ports in hexadecimal, as the tables have them. Several processes may share a socket; one is named.
 */
const LIST_LISTENERS = `find /proc/[0-9]*/fd -maxdepth 1 -lname 'socket:*' -printf '%p %l\\n' 2>/dev/null |
cat - /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v wanted="$1" '
  BEGIN { count = split(wanted, list, " "); for (i = 1; i <= count; i++) ports[list[i]] = 1 }
  $2 ~ /^socket:/ { split($1, path, "/"); holder[substr($2, 9, length($2) - 9)] = path[3] }
  $4 == "0A" { split($2, local, ":"); if (local[2] in ports) print local[2], local[1], $10 in holder ? holder[$10] : 0 }
' | while read -r port address pid; do
  printf 'listener %s %s %s %s\\n' "$port" "$address" "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null)"
done`

/** Whether nobody else can listen on this address and port, as far as can be told. */
export function takes(listener: Listener, address: string, port: number): boolean {
  return listener.port === port && (listener.address === address || listener.address === '0.0.0.0')
}

export async function listListeners(host: Host, ports: readonly number[]): Promise<Listener[]> {
  const wanted = ports.map((port) => port.toString(16).toUpperCase().padStart(4, '0')).join(' ')
  const { stdout } = await host.run({
    program: 'sh',
    argv: ['-c', LIST_LISTENERS, 'sh', wanted],
    summary: 'see who listens',
  })
  return [...stdout.matchAll(/^listener (\w+) (\w+) (\d+) (.*)$/gm)].map(
    ([, port = '', address = '', pid, program = '']) => ({
      port: Number.parseInt(port, 16),
      ...(address.length === 8 ? { address: dotted(address) } : {}),
      ...(pid === '0' ? {} : { pid: Number(pid), program }),
    }),
  )
}

/** The tables have the bytes of an address in the machine's own order; the machines are little-endian. */
function dotted(hex: string): string {
  return [...Buffer.from(hex, 'hex').reverse()].join('.')
}
