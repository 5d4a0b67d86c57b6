import type { Answer, HostView } from './inspect.ts'

/** What should be true of a fleet whose every service bears the same version. */
export interface Expectation {
  /** On which hosts each service runs. */
  readonly placed: Readonly<Record<string, readonly string[]>>
  /** Services that must not run twice. */
  readonly singletons: readonly string[]
  /** Hosts that cannot be reached: what they show counts for singletons alone. */
  readonly away: readonly string[]
  /** Versions that may be live; all of them but one on no host. */
  readonly versions: readonly string[]
}

/** The version that is wholly live, or everything that keeps it from being so. */
export type Verdict = { readonly version: string } | { readonly complaints: readonly string[] }

/** What is live on hosts, by what they show: one whole set everywhere, and nothing beside it. */
export function judge(views: readonly HostView[], expected: Expectation): Verdict {
  const reached = views.filter(({ host }) => !expected.away.includes(host))
  const found = reached.flatMap((view) => versionsOn(view, expected))
  const complaints = [
    ...reached.flatMap((view) => [...missing(view, expected), ...mismatched(view, expected), ...beside(view)]),
    ...expected.singletons.flatMap((service) => multiplied(views, service)),
    ...strangers(found, expected.versions),
  ]
  const versions = new Set(found.map(({ version }) => version))
  if (versions.size > 1) complaints.push(`a mixed set is live: ${found.map(tell).join(', ')}`)
  const [version] = versions
  if (version === undefined) complaints.push('nothing is live')
  return complaints.length > 0 || version === undefined ? { complaints } : { version }
}

interface Found {
  readonly host: string
  readonly service: string
  readonly version: string
}

function versionsOn({ host, services, answers }: HostView, { placed }: Expectation): Found[] {
  const answered = Object.entries(answers).flatMap(([service, answer]) =>
    'version' in answer ? [{ host, service, version: answer.version }] : [],
  )
  const run = services.flatMap(({ service = '', version }) =>
    placed[service]?.includes(host) === true ? [{ host, service, version }] : [],
  )
  return [...answered, ...run]
}

/** Of every service that is placed on the host: its marker, its unit, its process; and an answer from all that somebody runs. */
function missing(view: HostView, { placed, away }: Expectation): string[] {
  const { host, live, answers } = view
  if (live === null) return [`${host}: no set is live`]
  if (view.masters !== 1) return [`${host}: ${view.masters} masters of nginx run`]
  return Object.entries(placed).flatMap(([service, hosts]) => {
    if (hosts.every((name) => away.includes(name))) return []
    const answer = answers[service]
    const unanswered = answer === undefined || 'failed' in answer ? [`${host}: ${service} ${said(answer)}`] : []
    if (!hosts.includes(host)) return unanswered
    const markers = live.files.filter((file) => file.startsWith(`${service}.`))
    const plain = markers.length === 1 && /\.[ab]$/.test(markers[0]!)
    return plain ? unanswered : [...unanswered, `${host}: ${service} has the markers ${markers.join(' ') || 'none'}`]
  })
}

/** The slot that the marker names is the one that runs, was started from what answers, and would run after a boot. */
function mismatched(view: HostView, { placed }: Expectation): string[] {
  const { host, live, units, services, wanted, answers } = view
  return Object.entries(placed).flatMap(([service, hosts]) => {
    const slot = live?.files.find((file) => file.startsWith(`${service}.`))?.at(-1)
    if (!hosts.includes(host) || slot === undefined) return []
    const unit = units.find((each) => each.service === service && each.slot === slot)
    const main = services.find(({ pid }) => pid === unit?.pid)
    const answer = answers[service]
    const complaints = [
      ...(unit?.state === 'active/running' ? [] : [`its unit is ${unit?.state ?? 'unknown to systemd'}`]),
      ...(main?.folder.includes(`/artifacts/${service}/`) === true ? [] : [`its process is not there`]),
      ...(wanted.includes(`${service}.${slot}`) ? [] : ['it would not be there after a boot']),
    ]
    if (hosts.length === 1 && answer !== undefined && 'version' in answer) {
      if (answer.slot !== slot || answer.version !== main?.version)
        complaints.push(`another one answers: ${said(answer)}`)
    }
    return complaints.map((complaint) => `${host}: ${service} is live in slot ${slot}, and ${complaint}`)
  })
}

/** Nothing runs, would run, is under way or lies about beside what is live. */
function beside(view: HostView): string[] {
  const { host, live, units, services, wanted, halfMade, commands } = view
  const isLive = (service = '', slot = ''): boolean => live?.files.includes(`${service}.${slot}`) ?? false
  return [
    ...units
      .filter(({ service, slot, state }) => !isLive(service, slot) && !/^(inactive|failed)\//.test(state))
      .map(({ service, slot, state }) => `stray unit ${service}@${slot} ${state}`),
    ...services
      .filter(({ service, slot }) => !isLive(service, slot))
      .map(({ pid, folder, service, slot }) => `stray process ${pid} of ${service ?? 'nobody'}@${slot} in ${folder}`),
    ...wanted.filter((name) => live?.files.includes(name) !== true).map((name) => `a boot would start ${name}`),
    ...halfMade.map((path) => `half-made ${path}`),
    ...commands.map((command) => `still under way: ${command}`),
    ...(/^[1-9]\d*$/.test(view.fence) ? [] : [`the fence says ${JSON.stringify(view.fence)}`]),
  ].map((complaint) => `${host}: ${complaint}`)
}

function multiplied(views: readonly HostView[], service: string): string[] {
  const running = views.flatMap(({ host, units, services }) => {
    const alive = units.filter((unit) => unit.service === service && !/^(inactive|failed)\//.test(unit.state))
    const slots = new Set([
      ...alive.map(({ slot }) => slot),
      ...services.filter((each) => each.service === service).map(({ slot }) => slot),
    ])
    return [...slots].map((slot) => `${service}@${slot} on ${host}`)
  })
  return running.length > 1 ? [`runs more than once: ${running.join(', ')}`] : []
}

function strangers(found: readonly Found[], versions: readonly string[]): string[] {
  return found.filter(({ version }) => !versions.includes(version)).map((each) => `unexpected: ${tell(each)}`)
}

function tell({ host, service, version }: Found): string {
  return `${service} ${version} on ${host}`
}

function said(answer: Answer | undefined): string {
  if (answer === undefined) return 'was not asked'
  return 'failed' in answer ? `answers ${answer.failed}` : `answers as ${answer.version} from slot ${answer.slot}`
}
