import type { LabHost } from './lab-host.ts'

/**
 * What a host may be instead of the server that Drover wishes for. Each holds until the host boots again or, where it
 * is on the disk, until a reset.
 */

/** On the disk: the sudo of the user `admin` asks for this password. */
export async function sudoAsks(host: LabHost, password: string): Promise<void> {
  const script = `echo "$1:$2" | chpasswd; echo "$1 ALL=(ALL) ALL" >/etc/sudoers.d/admin`
  await host.inside(['sh', '-c', script, 'sh', host.ssh.user, password])
}

/** Until it boots again: whoever looks for systemd finds none, and systemctl says so. What runs goes on. */
export async function hideSystemd(host: LabHost): Promise<void> {
  for (const folder of ['/run/systemd', '/run/dbus']) await host.inside(['mount', '-t', 'tmpfs', 'none', folder])
}

/** Until it boots again: whoever connects to port 22 is told `garbage`, and the connection stays open. */
export async function answerGarbage(host: LabHost, garbage: string): Promise<void> {
  const server = `import socket, sys
server = socket.create_server(("", 22))
kept = []
while True:
    kept.append(server.accept()[0])
    kept[-1].sendall(sys.argv[1].encode())`
  await host.inside(['systemctl', 'stop', 'ssh.service'])
  await host.inside([
    'systemd-run',
    '--quiet',
    '--unit=garbage',
    '--service-type=exec',
    'python3',
    '-c',
    server,
    garbage,
  ])
  // systemd knows only that the program runs; it listens a moment later.
  const listens = 'until ss -Hltn "sport = :22" | grep -q .; do sleep 0.05; done'
  await host.inside(['timeout', '10', 'sh', '-c', listens])
}
