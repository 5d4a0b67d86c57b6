import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** The port of the last time, so that an address survives a restart; another one when somebody has taken it. */
export async function choosePort(folder: string): Promise<number> {
  const note = join(folder, 'port')
  const last = Number(await readFile(note, 'utf8').catch(() => '0'))
  const port = (await tryPort(Number.isInteger(last) ? last : 0)) ?? (await tryPort(0))
  if (port === undefined) throw new Error('no port of this machine is free')
  await writeFile(note, String(port))
  return port
}

/** The port, or one that the kernel chooses for 0; undefined when it is taken. */
async function tryPort(wanted: number): Promise<number | undefined> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(wanted, '127.0.0.1', resolve))
  } catch {
    return undefined
  }
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' ? address?.port : undefined
}
