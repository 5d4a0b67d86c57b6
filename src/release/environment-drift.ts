import type { Finding } from '../hosts/finding.ts'
import { Refusal, formatProblem, refusal } from '../problem/problem.ts'
import type { Context } from './context.ts'
import { declarationOf, inspectSite } from './inspect-site.ts'
import type { Declaration } from './inspect-site.ts'
import type { EnvironmentRef } from './records.ts'
import { blueprintOf, sites } from './scope.ts'
import type { Site } from './scope.ts'

/** How the hosts of an environment differ from what its live release has declared. */
export interface EnvironmentDrift extends EnvironmentRef {
  /** The live release; absent when nothing is live, and so nothing declared. */
  readonly release?: number
  /** Every file of what is live was read. */
  readonly deep: boolean
  readonly hosts: readonly HostDrift[]
}

export interface HostDrift {
  readonly host: string
  readonly reachable: boolean
  /** Why it cannot be told what is there. */
  readonly problem?: string
  readonly findings: readonly DriftFinding[]
}

export interface DriftFinding extends Finding {
  /** What puts it right. */
  readonly hint: string
}

/** Looks at all hosts; changes nothing. A Refusal while a release is under way, whose work would look like drift. */
export async function environmentDrift(
  context: Context,
  environment: EnvironmentRef,
  { deep }: { readonly deep: boolean },
): Promise<EnvironmentDrift> {
  const [active] = await context.records.open(environment)
  if (active !== undefined) {
    const hint = `Look again when it has ended; \`drover release ${environment.environment} ${active.number}\` tells.`
    throw refusal('release/under-way', `release ${active.number}`, 'is under way, and changes the hosts', hint)
  }
  const { fleet, environment: name } = environment
  const live = await context.records.live(environment)
  if (live?.set === undefined) return { fleet, environment: name, deep, hosts: [] }
  const declaration = await declarationOf(context, live)
  const all = sites(context, fleet, blueprintOf(live))
  const hosts = await Promise.all(all.map((site) => hostDrift(context, site, { declaration, deep })))
  return { fleet, environment: name, release: live.number, deep, hosts }
}

async function hostDrift(
  context: Context,
  site: Site,
  look: { readonly declaration: Declaration; readonly deep: boolean },
): Promise<HostDrift> {
  const host = site.host.name
  try {
    const { findings } = await inspectSite(context, site, look)
    return { host, reachable: true, findings: hinted(findings, look.declaration.live, host) }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { host, reachable: false, problem: error.problems.map(formatProblem).join('; '), findings: [] }
  }
}

/** Findings with what puts each right. */
export function hinted(
  findings: readonly Finding[],
  { environment }: EnvironmentRef,
  host: string,
): readonly DriftFinding[] {
  const hints = {
    release: `\`drover hosts heal ${environment} ${host}\` puts it right, and so does the next deploy.`,
    bootstrap: `Run: drover hosts bootstrap ${host}`,
    hand: 'Nothing of Drover puts it right.',
  }
  return findings.map((finding) => ({ ...finding, hint: finding.hint ?? hints[finding.mend] }))
}
