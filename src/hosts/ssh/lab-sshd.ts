import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../../../test/free-ports.ts'
import type { Host } from '../host.ts'
import { localHost } from '../local/local-host.ts'
import type { SshOptions } from './connection.ts'
import { sshHost } from './ssh-host.ts'

const exec = promisify(execFile)
const SSHD = '/usr/sbin/sshd'

/** A test, or what else says when its end has come. */
export interface Cleanup {
  after(work: () => Promise<void>): void
}

/** A real sshd for a test, of the current user, on a free port of the loopback, with keys and files of its own. */
export interface LabSshd {
  readonly folder: string
  readonly port: number
  readonly configFile: string
  readonly knownHosts: string
  readonly process: ChildProcess
  /** A host over it; closed after the test. */
  host(options?: Partial<SshOptions>): Host
  /** Processes that serve connections: children of sshd and theirs. */
  children(): Promise<number[]>
}

export async function labSshd(t: Cleanup, settings: readonly string[] = []): Promise<LabSshd> {
  const folder = await mkdtemp(join(tmpdir(), 'drover-sshd-'))
  const hosts: Host[] = []
  const started: { sshd?: ChildProcess } = {}
  // In this order: a host that is closed has to find its sshd and its socket.
  t.after(async () => {
    await Promise.all(hosts.map((host) => host.close()))
    if (started.sshd !== undefined) await endSshd(started.sshd)
    await rm(folder, { recursive: true, force: true })
  })
  await makeKey(join(folder, 'host_key'))
  await makeKey(join(folder, 'id'))
  await writeFile(join(folder, 'authorized_keys'), await readFile(join(folder, 'id.pub')), { mode: 0o600 })
  const port = await freePort()
  const knownHosts = join(folder, 'known_hosts')
  await writeFile(knownHosts, await knownHost(folder, port))
  await writeFile(join(folder, 'sshd_config'), sshdConfig(folder, port, settings))
  const configFile = join(folder, 'ssh_config')
  await writeFile(configFile, clientConfig(folder, port))
  const sshd = await startSshd(folder)
  started.sshd = sshd.child
  await answers(port, sshd)
  return {
    folder,
    port,
    configFile,
    knownHosts,
    process: sshd.child,
    host(options = {}) {
      const run: Host['run'] = (command, runOptions) => localHost().run(command, runOptions)
      const host = sshHost({
        name: 'web-1',
        destination: 'lab',
        folder: join(folder, 's'),
        run,
        configFile,
        ...options,
      })
      hosts.push(host)
      return host
    },
    children: () => descendants(sshd.child.pid),
  }
}

/** The host, once it starts commands from its relay, which is not before it has been asked for some. */
export async function relayed(host: Host): Promise<Host> {
  for (let tries = 0; tries < 500; tries += 1) {
    const { stdout } = await host.run({ program: 'sh', argv: ['-c', 'cat "/proc/$PPID/comm"'] })
    if (stdout === 'perl\n') return host
    await sleep(20)
  }
  throw new Error('the host has no relay')
}

/** Argument lists of all processes, their words apart by NUL. */
export async function commandLines(): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
}

export async function makeKey(file: string): Promise<void> {
  await exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
}

export async function knownHost(folder: string, port: number): Promise<string> {
  const [kind, key] = (await readFile(join(folder, 'host_key.pub'), 'utf8')).split(' ')
  return `[127.0.0.1]:${port} ${kind} ${key}\n`
}

function sshdConfig(folder: string, port: number, settings: readonly string[]): string {
  return [
    // The first value of a setting holds.
    ...settings,
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    `HostKey ${folder}/host_key`,
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'MaxStartups 100',
    'LogLevel ERROR',
    '',
  ].join('\n')
}

function clientConfig(folder: string, port: number): string {
  return [
    'Host lab',
    '  HostName 127.0.0.1',
    `  Port ${port}`,
    `  User ${userInfo().username}`,
    `  IdentityFile ${folder}/id`,
    '  IdentitiesOnly yes',
    '  IdentityAgent none',
    `  UserKnownHostsFile ${folder}/known_hosts`,
    '  GlobalKnownHostsFile /dev/null',
    '',
  ].join('\n')
}

interface Started {
  readonly child: ChildProcess
  said: string
}

async function startSshd(folder: string): Promise<Started> {
  // Where sshd of root locks its unprivileged half in; made by the system's own start of sshd, which does not run here.
  if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const child = spawn(SSHD, ['-D', '-e', '-f', join(folder, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] })
  const started = { child, said: '' }
  child.stderr.on('data', (data: Buffer) => (started.said += data.toString()))
  return started
}

async function answers(port: number, { child, said }: Started): Promise<void> {
  for (let polls = 0; polls < 500; polls += 1) {
    if (await hasBanner(port)) return
    assert.equal(child.exitCode, null, `sshd did not start: ${said}`)
    await sleep(10)
  }
  assert.fail(`sshd does not answer: ${said}`)
}

async function endSshd(child: ChildProcess): Promise<void> {
  for (const pid of await descendants(child.pid)) kill(pid)
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

async function descendants(pid: number | undefined): Promise<number[]> {
  if (pid === undefined) return []
  const parents = new Map<number, number>()
  for (const name of await readdir('/proc')) {
    const stat = /^\d+$/.test(name) ? await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '') : ''
    const parent = /\) \S (\d+)/.exec(stat)?.[1]
    if (parent !== undefined) parents.set(Number(name), Number(parent))
  }
  const found = [pid]
  for (const one of found) {
    for (const [child, parent] of parents) if (parent === one) found.push(child)
  }
  return found.slice(1)
}

function hasBanner(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('data', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
