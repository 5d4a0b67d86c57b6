import { resolve } from 'node:path'
import { Secret } from '../../secrets/secret.ts'
import { usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import { localHome } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import type { ServeOptions } from '../options.ts'

/** Runs a control plane here until it is stopped. */
export async function serve(cli: Cli, options: ServeOptions): Promise<ExitCode> {
  const port = Number(options.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw usage('--port', `should be a port from 0 to 65535, got ${JSON.stringify(options.port)}`)
  const home = options.home === undefined ? localHome(cli).folder : resolve(cli.cwd, options.home)
  const databaseUrl = options.databaseUrl ?? cli.env['DATABASE_URL']
  const sshConfig = cli.env['DROVER_SSH_CONFIG']
  await cli.startServer({
    host: options.host,
    port,
    home,
    ...(databaseUrl ? { databaseUrl: new Secret(databaseUrl) } : {}),
    ...(sshConfig ? { sshConfig: resolve(cli.cwd, sshConfig) } : {}),
    ready: (address, crashedBefore) => {
      if (cli.json) cli.document({ ...address, home })
      else cli.print(`drover ${cli.version} serves ${address.url} from ${home}`)
      if (crashedBefore) cli.note('the one before did not end orderly; releases that were under way go on now')
    },
  })
  return EXIT.done
}
