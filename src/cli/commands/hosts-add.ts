import { readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { addHost } from '../../manifest/add-host.ts'
import type { HostEntry } from '../../manifest/add-host.ts'
import { workingTree } from '../../manifest/detect.ts'
import { loadManifest } from '../../manifest/load.ts'
import { Refusal } from '../../problem/problem.ts'
import type { Problem } from '../../problem/problem.ts'
import type { HostReport } from '../../release/host-operations.ts'
import { usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import { connect } from '../client/connect.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { requireManifest } from '../manifest-file.ts'
import type { ManifestFile } from '../manifest-file.ts'
import type { HostsAddOptions } from '../options.ts'
import { systemOf } from '../text/host-text.ts'

export interface NewHost {
  readonly name: string
  /** How the person logs in today. */
  readonly destination: string
}

/** Whom Drover logs in as where nothing else is said. */
const DEPLOY_USER = 'drover'

/** Writes a host into the manifest, once it has answered. */
export async function addHostCommand(cli: Cli, host: NewHost, options: HostsAddOptions): Promise<ExitCode> {
  const file = await requireManifest(cli)
  const port = portOf(options)
  // Refused before anything is asked of the network: a name that is taken, a word that cannot be one.
  const first = entryOf(host.destination, { port, options })
  await checked(file, host.name, first)
  const report = await lookAt(cli, host, options)
  const entry = entryOf(destinationFor(host, report, options), { port, options })
  const { text, environments } = await checked(file, host.name, entry)
  await replace(file.path, text)
  if (cli.json) cli.document({ file: file.name, name: host.name, entry, environments, report })
  else tell(cli, { file: file.name, name: host.name, entry, environments, report })
  return EXIT.done
}

function portOf({ port }: HostsAddOptions): number | undefined {
  if (port === undefined) return undefined
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0
  if (number < 1 || number > 65_535) throw usage('--port', `should be a port, got ${JSON.stringify(port)}`)
  return number
}

function entryOf(
  ssh: string,
  { port, options }: { readonly port: number | undefined; readonly options: HostsAddOptions },
): HostEntry {
  const { address, label } = options
  return {
    ssh,
    ...(port === undefined ? {} : { port }),
    ...(address === undefined ? {} : { address }),
    ...(label === undefined ? {} : { labels: [...new Set(label)] }),
  }
}

async function lookAt(cli: Cli, { name, destination }: NewHost, options: HostsAddOptions): Promise<HostReport> {
  const client = await connect(cli)
  const port = portOf(options)
  const host = {
    fleet: 'new',
    name,
    labels: [],
    environments: [],
    ssh: { destination, ...(port === undefined ? {} : { port }) },
  }
  const report = await client.look(host, { asRoot: true, ...(options.as === undefined ? {} : { as: options.as }) })
  if (!report.reachable) throw new Refusal(report.problems)
  return report
}

/**
 * An administrator is for bootstrap; releases get a user of their own, which may do less. Who names the user, or is no
 * administrator, is taken at their word.
 */
function destinationFor({ destination }: NewHost, report: HostReport, { user, as }: HostsAddOptions): string {
  const address = destination.slice(destination.lastIndexOf('@') + 1)
  if (user !== undefined) return `${user}@${address}`
  const isOwn = as !== undefined && destination.includes('@')
  return report.login?.admin === true && !isOwn ? `${DEPLOY_USER}@${address}` : destination
}

interface Checked {
  readonly text: string
  /** Those that the host is part of; absent while the manifest has faults. */
  readonly environments?: readonly string[]
}

/** The manifest with the host, or a Refusal with the complaints that it has brought along. */
async function checked(file: ManifestFile, name: string, entry: HostEntry): Promise<Checked> {
  const text = addHost(await readFile(file.path, 'utf8'), name, entry)
  const { fleet, problems } = await loadManifest(text, { file: file.name, repository: workingTree(dirname(file.path)) })
  const before = new Set(file.problems.map(fingerprint))
  const fresh = problems.filter((problem) => problem.severity === 'error' && !before.has(fingerprint(problem)))
  if (fresh.length > 0) throw new Refusal(fresh, 'usage')
  if (fleet === undefined) return { text }
  const environments = fleet.environments.filter(({ hosts }) => hosts.includes(name)).map((each) => each.name)
  return { text, environments }
}

/** Lines move when a host is added; what is wrong with another place does not. */
function fingerprint({ code, what, where }: Problem): string {
  return JSON.stringify([code, what, where.at])
}

/** Whole or not at all. */
async function replace(path: string, text: string): Promise<void> {
  const part = `${path}.part-${process.pid}`
  await writeFile(part, text)
  await rename(part, path)
}

interface Told {
  readonly file: string
  readonly name: string
  readonly entry: HostEntry
  readonly environments: readonly string[] | undefined
  readonly report: HostReport
}

function tell(cli: Cli, { file, name, entry, environments, report }: Told): void {
  const { green, dim } = cli.paint
  cli.print(`${green('✓')} ${name} is in ${file}: ${entry.ssh}`)
  cli.print(dim(`  ${systemOf(report)}`))
  if (environments !== undefined) cli.print(dim(`  ${placeOf(environments)}`))
  const isReady = report.ready && entry.ssh.startsWith(`${report.login?.user}@`)
  const as = report.login?.admin === true ? ` --as ${report.login.user}` : ' --as <a user with sudo>'
  cli.print(isReady ? '  it is ready' : `  next: drover hosts bootstrap ${name}${as}`)
}

function placeOf(environments: readonly string[]): string {
  if (environments.length > 0) return `part of ${environments.join(', ')}`
  return 'part of no environment yet: let `hosts` of one name it, or a label of it'
}
