import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { passOn } from '../hosts/pass-on.ts'

const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46])

/**
 * Equal as long as the program of this name on this machine's PATH is the same file with the same content, as far as
 * its inode, size and times say. undefined when it is no program of the machine's own format: a wrapper, as version
 * managers lay them, may run something else tomorrow without having changed.
 */
export function programIdentity(name: string, path = ownPath()): string | undefined {
  for (const folder of path.split(':')) {
    const file = realPath(join(folder, name))
    if (file !== undefined) return identityOf(file)
  }
  return undefined
}

function ownPath(): string {
  const { PATH = '' } = passOn(['PATH'])
  return typeof PATH === 'string' ? PATH : ''
}

function realPath(file: string): string | undefined {
  try {
    return realpathSync(file)
  } catch {
    return undefined
  }
}

function identityOf(file: string): string | undefined {
  try {
    if (!startsAs(file, ELF)) return undefined
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(file)
    return [file, dev, ino, size, mtimeMs, ctimeMs].join(' ')
  } catch {
    return undefined
  }
}

function startsAs(file: string, magic: Buffer): boolean {
  const descriptor = openSync(file, 'r')
  try {
    const first = Buffer.alloc(magic.length)
    return readSync(descriptor, first, 0, magic.length, 0) === magic.length && first.equals(magic)
  } finally {
    closeSync(descriptor)
  }
}
