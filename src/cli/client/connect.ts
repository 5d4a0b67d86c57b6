import { setTimeout as sleep } from 'node:timers/promises'
import { refusal } from '../../problem/problem.ts'
import { Secret } from '../../secrets/secret.ts'
import { homeFolder, homeIn, processRuns, readAddress, readToken } from '../../server/home.ts'
import type { Home } from '../../server/home.ts'
import type { Cli } from '../cli.ts'
import { usage } from '../cli.ts'
import { clientOf } from './client.ts'
import type { Client } from './client.ts'
import { isThere } from './http.ts'
import type { Endpoint } from './http.ts'
import { startLocal } from './start-local.ts'

/**
 * A client of the control plane: the one that DROVER_URL names, else the one of this machine, which is started
 * when none runs.
 */
export async function connect(cli: Cli): Promise<Client> {
  const remote = remoteEndpoint(cli)
  if (remote !== undefined) return clientOf(remote)
  const home = localHome(cli)
  const found = await findLocal(home)
  if (found === undefined) return clientOf(await startLocal(cli, home, () => findLocal(home)))
  const address = await readAddress(home)
  if (address !== undefined && address.version !== cli.version) {
    cli.note(
      `the control plane is Drover ${address.version}, this is ${cli.version}; \`drover stop\` lets the next command start the new one`,
    )
  }
  return clientOf(found)
}

export function localHome({ env }: Pick<Cli, 'env'>): Home {
  return homeIn(homeFolder(env))
}

/** What the environment names, or undefined when the control plane is this machine's own. */
export function remoteEndpoint({ env }: Pick<Cli, 'env'>): Endpoint | undefined {
  const { DROVER_URL: url, DROVER_TOKEN: token } = env
  if (!url) return undefined
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw usage('DROVER_URL', `should be a URL such as http://127.0.0.1:4747, got ${JSON.stringify(url)}`)
  if (!token)
    throw usage(
      'DROVER_TOKEN',
      'is not set, but DROVER_URL is',
      'Set it to what the file `token` in the home of that control plane says.',
    )
  return { url: url.replace(/\/+$/, ''), token: new Secret(token) }
}

/** The control plane of a home, if it runs and answers. What a crash left behind is not taken for one. */
export async function findLocal(home: Home): Promise<Endpoint | undefined> {
  const address = await readAddress(home)
  // The process is asked after first: another program may have taken the port since, and must not see the token.
  if (address === undefined || !processRuns(address.pid) || !(await isThere(address.url))) return undefined
  const token = await readToken(home)
  if (token === undefined)
    throw refusal(
      'cli/no-token',
      home.token,
      'is missing, though a control plane runs',
      'Restart it with `drover stop` and any other command.',
    )
  return { url: address.url, token }
}

const SUPERVISED_MS = 3_000
const GIVE_UP_MS = 300_000

/**
 * The same control plane again after it stopped answering, or undefined when it was stopped on purpose. One that
 * crashed is started again, unless somebody else does so within a moment.
 */
export async function reconnect(cli: Cli): Promise<Client | undefined> {
  const began = performance.now()
  for (;;) {
    const remote = remoteEndpoint(cli)
    const found =
      remote === undefined ? await findLocal(localHome(cli)) : (await isThere(remote.url)) ? remote : undefined
    if (found !== undefined) return clientOf(found)
    const waited = performance.now() - began
    if (waited > GIVE_UP_MS) return undefined
    if (remote === undefined && waited > SUPERVISED_MS) {
      // An orderly end takes the address away.
      if ((await readAddress(localHome(cli))) === undefined) return undefined
      return connect(cli)
    }
    await sleep(Math.min(1_000, 100 + waited / 5))
  }
}
