import { LOCAL_HOST } from '../../manifest/fleet.ts'
import type { LogLine } from '../../release/control-plane.ts'
import type { EnvironmentRef } from '../../release/records.ts'
import { usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import type { Client, LogsWanted } from '../client/client.ts'
import { connect, reconnect } from '../client/connect.ts'
import { ConnectionLost } from '../client/http.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { LogsOptions } from '../options.ts'
import { targetOf } from '../target.ts'
import { printable } from '../../problem/problem.ts'
import type { Paint } from '../text/paint.ts'
import { padEnd, widthOf } from '../text/width.ts'
import { given } from './given.ts'

const MOST_LINES = 10_000

/** Lines of running services, each with the name of the service in front. */
export async function logs(cli: Cli, words: readonly (string | undefined)[], options: LogsOptions): Promise<ExitCode> {
  const lines = Number(options.lines)
  if (!Number.isInteger(lines) || lines < 0 || lines > MOST_LINES)
    throw usage('--lines', `should be a whole number from 0 to ${MOST_LINES}, got ${JSON.stringify(options.lines)}`)
  const client = await connect(cli)
  const { environment, rest } = await targetOf(cli, client, { words: given(words), option: options.environment })
  const print = cli.json ? (line: LogLine) => cli.document(line) : printer(cli)
  const wanted = { services: rest, lines, follow: options.follow === true }
  const shown: Shown = { print, note: (text) => cli.note(text) }
  await (wanted.follow
    ? following({ cli, client, environment, wanted, shown })
    : once(client, environment, wanted, shown))
  return EXIT.done
}

interface Shown {
  readonly print: (line: LogLine) => void
  readonly note: (text: string) => void
}

async function once(client: Client, environment: EnvironmentRef, wanted: LogsWanted, shown: Shown): Promise<void> {
  for await (const said of client.logs(environment, wanted)) {
    if ('notice' in said) shown.note(`${said.host}: ${printable(said.notice)}`)
    else shown.print(said)
  }
}

interface Following {
  readonly cli: Cli
  readonly client: Client
  readonly environment: EnvironmentRef
  readonly wanted: LogsWanted
  readonly shown: Shown
}

/** Over restarts of the control plane; what was logged meanwhile is not shown, since nobody knows where it begins. */
async function following({ cli, client, environment, wanted, shown }: Following): Promise<void> {
  for (let current = client, lines = wanted.lines; ; lines = 0) {
    try {
      await once(current, environment, { ...wanted, lines }, shown)
      return
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error
      cli.note('the control plane does not answer; waiting for it')
      const back = await reconnect(cli)
      if (back === undefined) throw error
      current = back
      cli.note('the control plane is back; following on')
    }
  }
}

/** Names as wide as the widest so far, in a colour of their own. */
function printer(cli: Cli): (line: LogLine) => void {
  let widest = 0
  const colours = colourings(cli.paint)
  return ({ host, service, slot, line }) => {
    // From the first line on, when nobody knows yet which hosts will say something.
    const name = host === LOCAL_HOST.name ? `${service}.${slot}` : `${host} ${service}.${slot}`
    widest = Math.max(widest, widthOf(name))
    cli.print(`${colours(service)(padEnd(name, widest))} │ ${printable(line)}`)
  }
}

function colourings({ cyan, green, yellow, bold, dim }: Paint): (service: string) => (text: string) => string {
  const all = [cyan, green, yellow, bold, dim]
  const given = new Map<string, (text: string) => string>()
  return (service) => {
    const known = given.get(service) ?? all[given.size % all.length]!
    given.set(service, known)
    return known
  }
}
