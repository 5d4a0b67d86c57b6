import { cannot, same } from './item.ts'
import type { Judge } from './item.ts'
import { DEFAULT_ROOT } from './needs.ts'
import type { HostNeeds } from './needs.ts'
import { ROOTS_FILE } from './places.ts'
import type { FolderState } from './state.ts'

/** The folders of the fleet's environments, which belong to the deploy user. */
export const folders: Judge = (needs, state) => {
  const name = 'folders'
  const wanted = foldersOf(needs)
  const taken = wanted.filter((path) => belongsToOthers(state.folders.get(path), needs.user))
  if (taken.length > 0) {
    const owners = taken.map((path) => `${path} is there already, ${kindOf(state.folders.get(path))}`)
    return cannot({
      name,
      what: owners.join('; '),
      hint: `Nothing of others is taken over. Move it away, give it to ${needs.user} by hand, or write another root in drover.yaml.`,
    })
  }
  const missing = wanted.filter((path) => {
    const found = state.folders.get(path)
    return found?.owner !== needs.user || found.mode !== '755'
  })
  const what = `${wanted.join(', ')}, owned by ${needs.user}`
  if (missing.length === 0) return same(name, what)
  const there = missing.filter((path) => state.folders.has(path))
  return {
    name,
    sign: there.length === 0 ? 'add' : 'change',
    what: `${missing.join(', ')}, owned by ${needs.user}`,
    operations: missing.flatMap((path) => [
      { kind: 'folder', path, mode: 0o755 } as const,
      { kind: 'run', program: 'chown', argv: ['--no-dereference', '--', `${needs.user}:`, path] } as const,
    ]),
  }
}

export function foldersOf({ roots }: Pick<HostNeeds, 'roots'>): string[] {
  return [DEFAULT_ROOT, ...roots]
}

/** An empty folder may be given away; anything else is somebody's. */
function belongsToOthers(found: FolderState | undefined, user: string): boolean {
  if (found === undefined) return false
  return found.kind === 'link' || found.kind === 'file' || (found.kind === 'filled' && found.owner !== user)
}

function kindOf(found: FolderState | undefined): string {
  if (found?.kind === 'link') return 'a link'
  if (found?.kind === 'file') return 'a file'
  return `with files of ${found?.owner ?? 'others'}`
}

/** Folders that the helper works below: told by root, so that the deploy user cannot widen them. */
export const allowedRoots: Judge = (needs, state) => {
  const name = 'roots'
  const known = (state.roots ?? '').split('\n').filter((line) => line !== '')
  const missing = foldersOf(needs).filter((root) => !known.includes(root))
  const all = [...known, ...missing]
  if (missing.length === 0) return same(name, `${all.join(', ')} in ${ROOTS_FILE}`)
  return {
    name,
    sign: state.roots === undefined ? 'add' : 'change',
    what: `${all.join(', ')} in ${ROOTS_FILE}`,
    operations: [
      { kind: 'folder', path: '/etc/drover', mode: 0o755 },
      { kind: 'write', path: ROOTS_FILE, content: all.map((root) => `${root}\n`).join('') },
    ],
  }
}
