import { problem, sortProblems } from '../problem/problem.ts'
import type { Problem } from '../problem/problem.ts'
import { checkEnvironments } from './check-environments.ts'
import { checkFolders } from './check-folders.ts'
import { checkHosts } from './check-hosts.ts'
import { checkPorts } from './check-ports.ts'
import { checkServices } from './check-services.ts'
import type { FileView } from './detect.ts'
import type { Fleet } from './fleet.ts'
import { readYaml } from './read-yaml.ts'
import { resolveFleet } from './resolve.ts'
import { Complaints } from './source.ts'
import { validate } from './validate.ts'
import { walk } from './walk.ts'

export interface LoadOptions {
  /** Name of the file as problems show it. */
  readonly file: string
  /** The repository that the manifest lies in; without it every service must give its language. */
  readonly repository?: FileView
}

export interface Loaded {
  /** Absent when a problem of severity error was found. */
  readonly fleet?: Fleet
  /** In the order of the file. Warnings come along with a fleet. */
  readonly problems: readonly Problem[]
}

/** Reads `drover.yaml`: a Fleet, or every complaint about it at once. Never throws for what stands in the text. */
export async function loadManifest(text: string, { file, repository }: LoadOptions): Promise<Loaded> {
  const yaml = readYaml(text, file)
  if (yaml.document === undefined) return { problems: sortProblems(yaml.problems) }

  const { source, value, problems, cutShort } = walk(yaml.document, file, yaml.lines)
  if (cutShort) return { problems: sortProblems(problems) }
  if (value === null && problems.length === 0)
    return {
      problems: [problem('manifest/empty', { file, line: 1, column: 1 }, 'is empty', '`drover init` writes a draft.')],
    }
  const complaints = new Complaints(source, problems)
  const manifest = validate(value, complaints)
  if (manifest === undefined) return { problems: sortProblems(complaints.problems) }

  checkServices(manifest, complaints)
  checkHosts(manifest, complaints)
  if (checkEnvironments(manifest, complaints)) checkPorts(manifest, complaints)
  const languages = await checkFolders(manifest, complaints, repository)
  const all = sortProblems(complaints.problems)
  if (all.some(({ severity }) => severity === 'error')) return { problems: all }
  return { fleet: resolveFleet(manifest, languages), problems: all }
}
