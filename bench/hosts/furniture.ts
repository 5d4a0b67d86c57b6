import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PROJECT } from '../../demo/stage.ts'
import { baseTree, buildBaseTree } from '../../lab/base-tree.ts'
import { run } from './command.ts'
import { withoutPrisma } from './fleet.ts'

const CACHE = join(PROJECT, '.cache/bench-hosts')
const FURNISH = join(import.meta.dirname, 'furnish.sh')
const SERVICES = join(PROJECT, 'examples/pakashop/services')

/**
 * The layer for `openLab` that holds everything that the tools build with on a host, made once and kept: some minutes,
 * and some 200 MB from Debian's mirror and the registries. None of it counts for anybody.
 */
export async function furnishedLayer(say: (line: string) => void): Promise<string> {
  await buildBaseTree(say)
  const folder = join(CACHE, await recipe())
  if (!existsSync(folder)) await furnish(folder, say)
  return join(folder, 'upper')
}

async function furnish(folder: string, say: (line: string) => void): Promise<void> {
  say('installing on a layer for the hosts what the tools build with, once …')
  const unfinished = `${folder}.building-${process.pid}`
  const scratch = await mkdtemp(join(tmpdir(), 'drover-bench-caches-'))
  try {
    await mkdir(CACHE, { recursive: true })
    await fillCaches(scratch)
    const program = (await run('sh', ['-c', 'readlink -f "$(command -v npm)"'])).stdout.trim()
    const npm = join(dirname(program), '..')
    const given = [baseTree(), unfinished, process.execPath, npm, join(scratch, 'caches')]
    await run('unshare', ['--mount', 'sh', FURNISH, ...given])
    await rename(unfinished, folder)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
    await run('chmod', ['-R', 'u+w', scratch])
    await rm(scratch, { recursive: true, force: true })
  }
}

/** What the registries would give, fetched here by the very commands that run on the host. */
async function fillCaches(scratch: string): Promise<void> {
  const fleet = join(scratch, 'fleet')
  const caches = join(scratch, 'caches')
  await cp(join(PROJECT, 'examples/pakashop'), fleet, {
    recursive: true,
    filter: (source) => !source.includes('node_modules'),
  })
  await withoutPrisma(fleet)
  await mkdir(join(caches, 'wheels'), { recursive: true })
  for (const service of await readdir(join(fleet, 'services'))) {
    const cwd = join(fleet, 'services', service)
    const has = (file: string): boolean => existsSync(join(cwd, file))
    if (has('package-lock.json')) {
      await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--cache', join(caches, 'npm')], { cwd })
    }
    if (has('requirements.txt')) await fetchWheels(join(cwd, 'requirements.txt'), join(caches, 'wheels'))
    if (has('go.mod')) {
      await run('go', ['mod', 'download'], { cwd, env: { ...process.env, GOMODCACHE: join(caches, 'go') } })
    }
  }
}

/** Also what only another Python asks for: the hosts' is not this machine's. */
async function fetchWheels(file: string, wheels: string): Promise<void> {
  const packages = (await readFile(file, 'utf8')).split('\n').flatMap((line) => line.split(';')[0]?.trim() || [])
  await run('python3', ['-m', 'pip', 'wheel', '-q', '-w', wheels, ...packages])
}

async function recipe(): Promise<string> {
  const hash = createHash('sha256').update(baseTree()).update(process.version)
  hash.update(await readFile(FURNISH))
  for (const service of (await readdir(SERVICES)).toSorted()) {
    for (const file of ['package-lock.json', 'requirements.txt', 'go.sum']) {
      hash.update(await readFile(join(SERVICES, service, file)).catch(() => ''))
    }
  }
  return hash.digest('hex').slice(0, 12)
}
