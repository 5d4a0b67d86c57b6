import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, link, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { NodeProgram } from './node-program.ts'
import { NPX } from './npx.ts'

/** Names of architectures as `uname -m` has them. */
const MACHINES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', arm: 'armv7l', ia32: 'i686' }

/**
 * The program that this process runs in, with `npx`, in a folder of its own below `folder`, ready to be sent. Official
 * builds of Node need no other file; one that does is found out on the host, by a first start before it is used.
 */
export async function ownNode(folder: string): Promise<NodeProgram> {
  const { version, arch, execPath } = process
  const sha256 = await digestOf(execPath)
  const own = join(folder, `node-${version}-${sha256.slice(0, 12)}`)
  await lay(execPath, join(own, 'bin'))
  const bytes = (await stat(execPath)).size + NPX.length
  const glibc = neededGlibc()
  const machine = MACHINES[arch] ?? arch
  return { version, machine, sha256, bytes, folder: own, ...(glibc === undefined ? {} : { glibc }) }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash, { end: false })
  return hash.update(NPX).digest('hex')
}

async function lay(program: string, bin: string): Promise<void> {
  if ((await stat(join(bin, 'node')).catch(() => undefined)) !== undefined) return
  await mkdir(bin, { recursive: true })
  await layFile(join(bin, 'npx'), (part) => writeFile(part, NPX, { mode: 0o755 }))
  await layFile(join(bin, 'node'), (part) => link(program, part).catch(() => copyFile(program, part)))
}

/** Appears whole; two that lay it at the same time lay the same. */
async function layFile(file: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = `${file}.${process.pid}`
  await write(part)
  await rename(part, file)
  await rm(part, { force: true })
}

/** The GNU C library that this program was made for; a newer one has all of it. */
function neededGlibc(): string | undefined {
  // Else it resolves the names of all peers of this process; the types do not know the setting yet.
  Object.assign(process.report, { excludeNetwork: true })
  const report: unknown = process.report.getReport()
  const header = typeof report === 'object' && report !== null && 'header' in report ? report.header : undefined
  if (typeof header !== 'object' || header === null || !('glibcVersionCompiler' in header)) return undefined
  return String(header.glibcVersionCompiler)
}
