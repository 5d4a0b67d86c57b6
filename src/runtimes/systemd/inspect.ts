import type { Host } from '../../hosts/host.ts'
import { refusal } from '../../problem/problem.ts'
import type { Inspection } from '../runtime.ts'
import { environmentsOf, readSums } from '../slot-sums.ts'
import { findingsOf } from './findings.ts'
import type { Inspected } from './findings.ts'
import type { SystemdPlace } from './place.ts'
import { inspectArgv } from './scripts.ts'
import { readSurvey, report } from './survey.ts'

const MAX_ANSWER_BYTES = 16 * 1024 * 1024
const SURVEYED = '\nsurveyed\n'
const END = '\ninspected\n'

/** One look at all slots and units of an environment, in one round trip. */
export async function inspectSystemd(place: SystemdPlace): Promise<Inspection> {
  const { host, root } = place
  const inspected = readInspected(await ask(host, place))
  const slots = inspected.slots.map(report).filter((one) => one !== undefined)
  return {
    slots,
    environments: environmentsOf(root, slots, inspected.sums),
    findings: findingsOf(place, inspected),
  }
}

async function ask(host: Host, place: SystemdPlace): Promise<string> {
  const { ok, stdout, stderr, failure } = await host.run(
    { program: 'sh', argv: inspectArgv(place), summary: 'inspect slots and units' },
    { maxOutputBytes: MAX_ANSWER_BYTES },
  )
  if (ok && stdout.includes(SURVEYED) && stdout.endsWith(END)) return stdout
  throw refusal(
    'runtimes/survey',
    `host ${host.name}`,
    `cannot look at the slots below ${place.root} (${failure ?? 'its answer is not whole'}): ${stderr.trim()}`,
    'Is systemd at work there? See: systemctl status',
  )
}

/** Reads what survey.sh, inspect.sh and slot-sums.sh printed. */
export function readInspected(text: string): Inspected {
  const cut = text.indexOf(SURVEYED) + SURVEYED.length
  const rest = text.slice(cut)
  const pairs = (pattern: RegExp): Map<string, string> =>
    new Map([...rest.matchAll(pattern)].map(([, value = '', key = '']) => [key, value]))
  const said = [...rest.matchAll(/^root (.*)$/gm)].map(([, line = '']) => line)
  const [, sha256 = '', version = ''] = /^helper (\S*) (?:VERSION=(\d+))?$/m.exec(rest) ?? []
  return {
    slots: readSurvey(text.slice(0, cut)).slots,
    sums: readSums(rest),
    handed: pairs(/^handed ([0-9a-f]{64}) (\S+)$/gm),
    kept: pairs(/^root ([0-9a-f]{64}) [ *](\S+)$/gm),
    said: said.filter((line) => !/^[0-9a-f]{64} /.test(line)).join('\n'),
    unbooted: [...rest.matchAll(/^unbooted (\S+)$/gm)].map(([, unit = '']) => unit),
    helper: { sha256, version: Number(version) },
    units: readUnitFiles(rest),
  }
}

/** The text of each unit; empty for one that is no file, such as a masked one. */
function readUnitFiles(text: string): Map<string, string> {
  const files = new Map([...text.matchAll(/^unit (\/.*)$/gm)].map(([, path = '']) => [path, '']))
  for (const line of text.split('\n')) {
    const [path = ''] = line.split(':', 1)
    const before = files.get(path)
    if (before !== undefined) files.set(path, `${before}${line.slice(path.length + 1)}\n`)
  }
  return files
}
