import { nearMiss } from '../problem/near-miss.ts'
import { printable, refusal } from '../problem/problem.ts'
import type { Refusal } from '../problem/problem.ts'
import { COMMIT_FORMAT, parseCommits } from './commit.ts'
import type { Commit } from './commit.ts'
import type { Mirror } from './mirror.ts'

const LISTED_BRANCHES = 8
/** Git's exit code for a name that it does not know; other damage has it too, and shows in the next question. */
const UNKNOWN_REVISION = 128

/**
 * The commit of a branch, a tag or a commit id (at least 4 digits of it), looked for in that order; `HEAD` is the
 * default branch. Revision expressions (`main~1`) are not understood: what is released has a name.
 */
export async function resolve(mirror: Mirror, ref: string): Promise<Commit> {
  if (ref === 'HEAD') {
    return await resolve(mirror, await defaultBranch(mirror))
  }
  const name = ref.replace(/^refs\/(heads|tags)\//, '')
  const tip = await branchTip(mirror, ref, name)
  if (tip !== undefined) return tip
  const candidates = candidateNames(ref, name)
  const answers = candidates.length === 0 ? [] : await lookUp(mirror, candidates)
  const found = answers.findIndex((answer) => /^[0-9a-f]{40,64}$/.test(answer))
  if (found === -1) {
    throw (await isAmbiguous(mirror, name)) ? ambiguousId(ref) : await unknownRef(mirror, ref)
  }
  const [commit] = await describe(mirror, answers[found] ?? '')
  if (commit === undefined) {
    throw unknownCommit(ref)
  }
  mirror.found.add(commit.id)
  return candidates[found]?.startsWith('refs/heads/') === true ? { ...commit, branch: name } : commit
}

/** Most refs are branches: one call of git instead of two. */
async function branchTip(mirror: Mirror, ref: string, name: string): Promise<Commit | undefined> {
  if (!isRefName(name) || ref.startsWith('refs/tags/')) return undefined
  const argv = ['log', '-z', '-1', COMMIT_FORMAT, '--end-of-options', `refs/heads/${name}`, '--']
  const outcome = await mirror.read({ argv }, [0, UNKNOWN_REVISION])
  const [commit] = outcome.ok ? parseCommits(outcome.stdout) : []
  if (commit === undefined) return undefined
  mirror.found.add(commit.id)
  return { ...commit, branch: name }
}

/**
 * Refuses, all at once, ids that are not commits of the repository: a branch was force-pushed, or the id is of elsewhere. What
 * another Drover has fetched need not be in this mirror yet.
 */
export async function requireCommits(mirror: Mirror, ids: readonly string[]): Promise<void> {
  if ((await unseen(mirror, ids)).some(isId)) await mirror.fetch()
  const missing = await missingCommits(mirror, ids)
  if (missing.length > 0) {
    throw unknownCommit(missing.join(', '))
  }
}

/** Those of the ids that the mirror does not hold, even after it has checked itself. */
export async function missingCommits(mirror: Mirror, ids: readonly string[]): Promise<string[]> {
  const missing = await unseen(mirror, ids)
  return missing.length > 0 && (await mirror.heal()) ? unseen(mirror, ids) : missing
}

async function unseen(mirror: Mirror, ids: readonly string[]): Promise<string[]> {
  const asked = ids.filter((id) => isId(id) && !mirror.found.has(id))
  if (asked.length > 0) for (const id of (await lookUp(mirror, asked)).filter(isId)) mirror.found.add(id)
  return ids.filter((id) => !mirror.found.has(id))
}

/** A full ref name, so that it is not looked for a second time as anything else. */
async function defaultBranch(mirror: Mirror): Promise<string> {
  return (await mirror.defaultBranch()) ?? (await mirror.read({ argv: ['symbolic-ref', 'HEAD'] })).stdout.trim()
}

/** One line per name, in order: the commit's id, or a text that ends in `missing`. */
async function lookUp(mirror: Mirror, names: readonly string[]): Promise<string[]> {
  const stdin = names.map((name) => `${name}^{commit}\n`).join('')
  const outcome = await mirror.read({ argv: ['cat-file', '--batch-check=%(objectname)'], stdin })
  return outcome.stdout.trimEnd().split('\n')
}

/** Asked for as a commit, an ambiguous beginning is only `missing`; asked for as any object, git says which. */
async function isAmbiguous(mirror: Mirror, name: string): Promise<boolean> {
  if (!isAbbreviation(name)) {
    return false
  }
  const outcome = await mirror.read({ argv: ['cat-file', '--batch-check=%(objectname)'], stdin: `${name}\n` })
  return outcome.stdout.trimEnd().endsWith(' ambiguous')
}

async function describe(mirror: Mirror, id: string): Promise<Commit[]> {
  const outcome = await mirror.read({ argv: ['log', '-z', '-1', COMMIT_FORMAT, '--end-of-options', id, '--'] })
  return parseCommits(outcome.stdout)
}

function candidateNames(ref: string, name: string): string[] {
  if (!isRefName(name)) {
    return []
  }
  if (ref !== name) {
    return [ref]
  }
  return [`refs/heads/${name}`, `refs/tags/${name}`, ...(isAbbreviation(name) ? [name] : [])]
}

function isAbbreviation(name: string): boolean {
  return /^[0-9a-f]{4,64}$/i.test(name)
}

/** Git's rules for names (git-check-ref-format), so that nothing in a name is read as an expression. */
function isRefName(name: string): boolean {
  // oxlint-disable-next-line no-control-regex
  const forbidden = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|\/$|\.$|^\/|^@$/
  return (
    name !== '' &&
    !forbidden.test(name) &&
    name.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'))
  )
}

function isId(text: string): boolean {
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text)
}

async function unknownRef(mirror: Mirror, ref: string): Promise<Refusal> {
  const argv = ['for-each-ref', '--format=%(refname)', '--sort=-creatordate', 'refs/heads', 'refs/tags']
  const refs = (await mirror.read({ argv })).stdout.split('\n').filter((line) => line !== '')
  const where = `repository ${mirror.address.url}`
  if (refs.length === 0) {
    return refusal('source/empty-repository', where, 'has no commit yet', 'Push a first commit to it.')
  }
  const names = refs.map((name) => name.replace(/^refs\/(heads|tags)\//, ''))
  const near = nearMiss(ref, names)
  const branches = refs.filter((name) => name.startsWith('refs/heads/')).map((name) => name.slice('refs/heads/'.length))
  const more = branches.length > LISTED_BRANCHES ? ', …' : ''
  const hint =
    near === undefined
      ? `Its branches are: ${printable(branches.slice(0, LISTED_BRANCHES).join(', '))}${more}. Has it been pushed?`
      : `Did you mean "${near}"?`
  return refusal('source/unknown-ref', where, `has no branch, tag or commit "${ref}"`, hint)
}

function ambiguousId(ref: string): Refusal {
  return refusal(
    'source/ambiguous-commit',
    `commit ${ref}`,
    'is the beginning of more than one',
    'Give more digits of it.',
  )
}

function unknownCommit(id: string): Refusal {
  return refusal(
    'source/unknown-commit',
    `commit ${id}`,
    'is not in the repository',
    'Was its branch force-pushed or deleted? Name a commit that is on a branch now.',
  )
}
