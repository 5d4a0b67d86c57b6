import { setTimeout as sleep } from 'node:timers/promises'
import { refusal } from '../../problem/problem.ts'
import { processRuns, readAddress } from '../../server/home.ts'
import { usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import { clientOf } from '../client/client.ts'
import { findLocal, localHome, remoteEndpoint } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'

const LONGEST_STOP_MS = 60_000

/** Stops the control plane of this machine and waits until it has ended. */
export async function stop(cli: Cli): Promise<ExitCode> {
  if (remoteEndpoint(cli) !== undefined)
    throw usage(
      'drover stop',
      'stops the control plane of this machine only, and DROVER_URL names another one',
      'Unset DROVER_URL.',
    )
  const home = localHome(cli)
  const endpoint = await findLocal(home)
  const address = await readAddress(home)
  if (endpoint === undefined || address === undefined) {
    if (cli.json) cli.document({ stopped: false })
    else cli.print('no control plane is running')
    return EXIT.done
  }
  await clientOf(endpoint).shutdown()
  const deadline = performance.now() + LONGEST_STOP_MS
  while (processRuns(address.pid)) {
    if (performance.now() > deadline) {
      throw refusal(
        'cli/not-stopped',
        `process ${address.pid}`,
        `has not ended ${LONGEST_STOP_MS / 1000} s after it was told to`,
        `Its log is ${home.log}.`,
      )
    }
    await sleep(50)
  }
  if (cli.json) cli.document({ stopped: true })
  else
    cli.print(
      `${cli.paint.green('✓')} the control plane is stopped; services go on running, and the next command starts it again`,
    )
  return EXIT.done
}
