import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Host } from './host.ts'

/** A host whose files and loopback are this machine's, or appear here as if they were. */
export type Make = (t: TestContext) => Host | Promise<Host>

export async function scratch(t: TestContext, name = 'x'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `drover-host-${name}-`))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}
