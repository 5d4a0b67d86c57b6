import { randomUUID } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import type { z } from 'zod'
import { errorCode } from '../hosts/error-code.ts'

/**
 * What a JSON file of ours holds; undefined when there is none, or when it is not what was written: files are written whole
 * and then renamed, so half a one is what a power cut left, and stands for something that was not finished.
 */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return ''
    throw error
  })
  return schema.safeParse(parse(text)).data
}

/** Writes a file whole: readers see the old content or the new one. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const aside = `${path}.${randomUUID()}`
  await writeFile(aside, `${JSON.stringify(value, null, 2)}\n`)
  await rename(aside, path)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
