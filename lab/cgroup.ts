import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readFile, readdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../src/hosts/error-code.ts'
import { until } from './shell.ts'

/**
 * A group of processes that only we put there: what stands in it, and nothing else, is ours to end. systemd inside a
 * host needs one of its own in every hierarchy, or two hosts would share the root of the machine's.
 */
const ROOT = '/sys/fs/cgroup'

/** Hierarchies in which a systemd makes groups; the others have no need of a group of their own. */
const HIERARCHIES = ['systemd', 'unified', 'memory', 'cpu', 'cpuacct', 'pids', 'blkio', 'devices']

/** The one hierarchy of cgroup v2, or those of v1, where a hybrid machine has both. */
function hierarchies(): string[] {
  return existsSync(join(ROOT, 'cgroup.controllers'))
    ? [ROOT]
    : HIERARCHIES.map((name) => join(ROOT, name)).filter((path) => existsSync(path))
}

/** Starts a program in the group, with its output in a file. It outlives this process. */
export async function startIn(group: string, log: string, command: readonly string[]): Promise<void> {
  const [program, ...args] = await commandIn(group, command)
  const output = await open(log, 'a')
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', output.fd, output.fd],
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve).once('error', reject)
  })
  child.unref()
  await output.close()
}

/** Makes the group; gives the command that runs in it, as often as it is started. */
export async function commandIn(group: string, command: readonly string[]): Promise<[string, ...string[]]> {
  return entering(await makeGroup(group), command)
}

/** The shell enters the groups and becomes the program, so that no moment of it runs outside. */
const ENTER =
  'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; n=$((n-1)); done; exec "$@"'

function entering(folders: readonly string[], command: readonly string[]): [string, ...string[]] {
  return ['/bin/sh', '-c', ENTER, 'sh', String(folders.length), ...folders, ...command]
}

/** A command that runs beside a process of the group, and so ends with the group, whatever it leaves running. */
export async function beside(pid: number, group: string, command: readonly string[]): Promise<[string, ...string[]]> {
  const found = await Promise.all(hierarchies().map((root) => folderOf(pid, join(root, group))))
  return entering(
    found.filter((folder) => folder !== undefined),
    command,
  )
}

async function makeGroup(group: string): Promise<string[]> {
  // Of v2 a group has the controllers that the one above hands down; a systemd in it hands them on.
  await writeFile(join(ROOT, 'cgroup.subtree_control'), '+cpu +memory +pids', { flag: 'r+' }).catch(() => undefined)
  const folders = hierarchies().map((root) => join(root, group))
  for (const folder of folders) await mkdir(folder, { recursive: true })
  return folders
}

/** Every process of the group and of the groups below it. */
export async function processesIn(group: string): Promise<number[]> {
  const found = await Promise.all(hierarchies().map((root) => processesBelow(join(root, group))))
  return [...new Set(found.flat())]
}

/** Ends every process of the group at once, as a cut of the power does, and removes the group. */
export async function killGroup(group: string): Promise<void> {
  await until(`the processes of ${group} to end`, 30, async () => {
    const pids = await processesIn(group)
    for (const pid of pids) kill(pid)
    return pids.length === 0
  })
  for (const root of hierarchies()) {
    await until(`the group ${group} to go`, 10, () => removed(join(root, group)))
  }
}

/** The groups whose names start so. */
export async function groupsNamed(prefix: string): Promise<string[]> {
  const found = await Promise.all(hierarchies().map((root) => entries(root)))
  return [...new Set(found.flat())].filter((name) => name.startsWith(prefix))
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}

/** The folder, of this one and those below it, in which the process stands. */
async function folderOf(pid: number, folder: string): Promise<string | undefined> {
  if ((await processesAt(folder)).includes(pid)) return folder
  for (const name of await entries(folder)) {
    const found = await folderOf(pid, join(folder, name))
    if (found !== undefined) return found
  }
  return undefined
}

async function processesAt(folder: string): Promise<number[]> {
  const lines = await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '')
  // 0 stands for a process of another pid namespace.
  return lines
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0)
}

async function processesBelow(folder: string): Promise<number[]> {
  const below = await Promise.all((await entries(folder)).map((name) => processesBelow(join(folder, name))))
  return [...(await processesAt(folder)), ...below.flat()]
}

async function removed(folder: string): Promise<boolean> {
  for (const name of await entries(folder)) {
    if (!(await removed(join(folder, name)))) return false
  }
  return rmdir(folder).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  )
}

async function entries(folder: string): Promise<string[]> {
  const found = await readdir(folder, { withFileTypes: true }).catch(() => [])
  return found.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
}
