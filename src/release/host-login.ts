import { lookAt } from '../hosts/bootstrap/look.ts'
import type { ProbeOptions } from '../hosts/bootstrap/probe-script.ts'
import type { HostState } from '../hosts/bootstrap/state.ts'
import type { Host } from '../hosts/host.ts'
import { hostPool } from '../hosts/pool.ts'
import type { HostPool, SshSettings } from '../hosts/pool.ts'
import { firstContact, loginSettings } from '../hosts/ssh/login.ts'
import type { LoginOptions } from '../hosts/ssh/login.ts'
import type { HostDefinition } from '../manifest/fleet.ts'
import { Refusal, problem, refusal } from '../problem/problem.ts'

/** What looking after hosts stands on. */
export interface HostAccess {
  /** Hosts as the manifest says that they are reached. */
  readonly hosts: HostPool
  readonly local: Host
  /** For connections of somebody else's, and what is sent to hosts. */
  readonly folder: string
  readonly ssh?: SshSettings
}

/** A host, as one who logs in to it: by the manifest, or as an administrator. */
export interface HostLogin {
  readonly host: Host
  readonly destination: string
  /** Whom the manifest logs in as. */
  readonly user: string
  readonly options: LoginOptions
  /** Lets go of a connection that is not everybody's. */
  close(): Promise<void>
}

export async function openLogin(access: HostAccess, definition: HostDefinition, as?: string): Promise<HostLogin> {
  const { name, ssh } = definition
  if (ssh === undefined) {
    const hint = 'Its services run as the user that Drover itself runs as.'
    throw refusal('hosts/local', `host ${name}`, 'is the machine that Drover runs on, which needs no bootstrap', hint)
  }
  const run: Host['run'] = (command, options) => access.local.run(command, options)
  const port = ssh.port === undefined ? {} : { port: ssh.port }
  const configFile = access.ssh?.configFile === undefined ? {} : { configFile: access.ssh.configFile }
  const settings = await loginSettings({ destination: ssh.destination, run, ...port, ...configFile })
  if (as === undefined) {
    return {
      host: access.hosts.of(definition),
      destination: ssh.destination,
      user: settings.user,
      options: { destination: ssh.destination, run, ...port, ...configFile },
      close: async () => {},
    }
  }
  const destination = loginDestination(ssh.destination, as)
  const own = hostPool({ ...access, run })
  return {
    host: own.of({ ...definition, ssh: { destination, ...port } }),
    destination,
    user: settings.user,
    options: { destination, run, ...port, ...configFile },
    close: () => own.close(),
  }
}

/** `admin` is a user of the same host, `admin@10.0.0.1` all that ssh needs to know. */
export function loginDestination(destination: string, as: string): string {
  return as.includes('@') ? as : `${as}@${destination.slice(destination.lastIndexOf('@') + 1)}`
}

/** As {@link lookAt}; what lets us in and is no Linux server is told by its kernel, if it says that much. */
export async function lookThrough(login: HostLogin, options: ProbeOptions): Promise<HostState> {
  try {
    return await lookAt(login.host, options)
  } catch (error) {
    if (!(error instanceof Refusal) || !error.problems.some(({ code }) => NO_SHELL.has(code))) throw error
    const { kernel } = await firstContact(login.options)
    if (kernel === undefined || kernel === 'Linux') throw error
    const what = `its kernel is ${kernel}, not Linux`
    throw new Refusal(
      [problem('hosts/not-linux', `host ${login.host.name}`, what, 'Drover releases to Linux hosts with systemd.')],
      'refused',
      { cause: error },
    )
  }
}

const NO_SHELL: ReadonlySet<string> = new Set(['hosts/no-shell', 'hosts/garbled'])
