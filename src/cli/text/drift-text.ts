import type { DriftFinding, EnvironmentDrift, HostDrift } from '../../release/environment-drift.ts'
import { hanging } from './hanging.ts'
import type { Paint } from './paint.ts'
import { counted } from './time.ts'
import { oneLine } from './width.ts'

export interface DriftTextOptions {
  readonly width: number
  readonly paints: Paint
}

/** What of the hosts of an environment is not as it was declared, and what puts it right. */
export function driftText(drift: EnvironmentDrift, options: DriftTextOptions): string {
  const { paints } = options
  const name = paints.bold(`${drift.fleet}/${drift.environment}`)
  if (drift.release === undefined) return `${name}  ${paints.dim('nothing is live, so nothing is declared')}`
  const verdict = isAsDeclared(drift) ? paints.green('✓') : paints.red('✗')
  return [
    `${name}  #${drift.release} is live`,
    ...drift.hosts.flatMap((host) => hostLines(host, options)),
    `${verdict} ${verdictText(drift)}`,
  ].join('\n')
}

/** Every host has been seen, and nothing was found. */
export function isAsDeclared({ hosts }: EnvironmentDrift): boolean {
  return hosts.every(({ reachable, findings }) => reachable && findings.length === 0)
}

/** A finding in one line: `shop: its unit was edited (/etc/systemd/system/…)`. */
export function findingText({ service, what, path }: DriftFinding): string {
  return oneLine(`${service === undefined ? '' : `${service}: `}${what}${path === undefined ? '' : ` (${path})`}`)
}

function hostLines(
  { host, reachable, problem = '', findings }: HostDrift,
  { width, paints }: DriftTextOptions,
): string[] {
  const name = paints.bold(oneLine(host))
  if (!reachable) return [`${name}  ${paints.red(`cannot be looked at: ${oneLine(problem)}`)}`]
  if (findings.length === 0) return [`${name}  ${paints.green('as declared')}`]
  // What is put right in the same way stands together, with that told once.
  const groups = Map.groupBy(findings, ({ hint }) => hint)
  return [
    `${name}  ${paints.yellow(counted(findings.length, 'finding'))}`,
    ...[...groups].flatMap(([hint, group]) => [
      ...group.flatMap((finding) => hanging('  ! ', findingText(finding), width)),
      ...hanging('    HINT: ', oneLine(hint), width).map(paints.dim),
    ]),
  ]
}

function verdictText({ hosts, deep }: EnvironmentDrift): string {
  const count = hosts.reduce((sum, { findings }) => sum + findings.length, 0)
  const drifted = hosts.filter(({ findings }) => findings.length > 0).length
  const away = hosts.filter(({ reachable }) => !reachable).length
  const found =
    count === 0
      ? `nothing has drifted${deep ? ', and every file was read' : ''}`
      : `${counted(count, 'finding')} on ${drifted} of ${counted(hosts.length, 'host')}`
  return away === 0 ? found : `${found}; ${counted(away, 'host')} cannot be looked at`
}
