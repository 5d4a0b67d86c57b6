import { readFile, readdir } from 'node:fs/promises'
import { groupsNamed } from './cgroup.ts'
import { PREFIX, RUNS } from './place.ts'
import { run } from './shell.ts'

/**
 * Everything on this machine that bears the name of a lab: mounts, loop devices, interfaces, namespaces, process groups and
 * folders, one line each. Empty after `close`.
 */
export async function tracesOf(owner: string): Promise<string[]> {
  const id = `${PREFIX}${owner}`
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n')
  const loops = (await run('losetup', ['--noheadings', '--list', '--output', 'NAME,BACK-FILE'])).split('\n')
  const links = (await run('ip', ['-brief', 'link'])).split('\n')
  const namespaces = (await run('ip', ['netns', 'list'])).split('\n')
  const folders = await readdir(RUNS).catch(() => [])
  const left = await readdir('/run/systemd/nspawn/propagate').catch(() => [])
  // Not the prefix alone: dlab12 must not count what is of dlab123.
  const named = new RegExp(`${id}(?![0-9])`)
  return [...mounts, ...loops, ...links, ...namespaces, ...(await groupsNamed(id)), ...folders, ...left].filter(
    (line) => named.test(line),
  )
}
