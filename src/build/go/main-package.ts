import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { refusal } from '../../problem/problem.ts'

/**
 * The package that is the program, as an argument of `go build`: the module's root, `./cmd/<service>`, `./src`, or
 * the only one below `./cmd`.
 */
export async function findMainPackage(folder: string, service: string): Promise<string> {
  const commands = await readdir(join(folder, 'cmd'), { withFileTypes: true }).catch(() => [])
  const below = commands.filter((entry) => entry.isDirectory()).map((entry) => `./cmd/${entry.name}`)
  for (const candidate of ['.', `./cmd/${service}`, './src']) {
    if (await isMain(join(folder, candidate))) return candidate
  }
  const mains: string[] = []
  for (const candidate of below) {
    if (await isMain(join(folder, candidate))) mains.push(candidate)
  }
  if (mains.length === 1 && mains[0] !== undefined) {
    return mains[0]
  }
  throw refusal(
    'build/no-main-package',
    `service ${service}`,
    mains.length === 0
      ? `no "package main" in its root, cmd/${service} or src`
      : `several programs: ${mains.join(', ')}`,
    `Say which in drover.yaml, such as: build: go build -trimpath -buildvcs=false -o bin/${service} ./cmd/server`,
  )
}

/** Whether the folder holds a Go file of package main that is not only there for tests or for `go generate`. */
async function isMain(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names.filter((each) => each.endsWith('.go') && !each.endsWith('_test.go'))) {
    const text = await readFile(join(folder, name), 'utf8')
    if (/^package main\b/m.test(text) && !/^\/\/go:build (ignore|tools)\b/m.test(text)) return true
  }
  return false
}
