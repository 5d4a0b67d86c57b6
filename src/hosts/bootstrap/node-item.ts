import { join } from 'node:path'
import { cannot, same } from './item.ts'
import type { Judge, Work } from './item.ts'
import { NODE_FOLDER, nodeFolder } from './node-program.ts'
import type { NodeProgram } from './node-program.ts'
import type { HostState } from './state.ts'

/**
 * Checked by content and by a first start before it gets its name: what the user of the login laid may be altered by
 * then, and may not run here. `$1` what was uploaded, `$2` its place, `$3` sha256, `$4` version.
 */
const INSTALL = `umask 022; bin=$2/bin
mkdir -p -- "$bin" || exit 1
for name in node npx; do
  cp -f -- "$1/bin/$name" "$bin/$name.part" && chmod 755 -- "$bin/$name.part" && chown root:root -- "$bin/$name.part" || exit 1
done
[ "$(cat -- "$bin/node.part" "$bin/npx.part" | sha256sum | cut -d ' ' -f 1)" = "$3" ] || { echo 'what arrived is not what was sent' >&2; exit 1; }
said=$("$bin/node.part" --version 2>&1) && [ "$said" = "$4" ] || { printf 'it does not run here: %s\\n' "$said" >&2; exit 1; }
sync -- "$bin/npx.part" "$bin/node.part" && mv -fT -- "$bin/npx.part" "$bin/npx" && mv -fT -- "$bin/node.part" "$bin/node" && rm -rf -- "$1"`

/** The Node that services were built with, so that what was tried in staging is what runs. */
export function nodeItem(program: NodeProgram, state: HostState): Work {
  const name = 'node'
  const { version, sha256 } = program
  const place = nodeFolder(version)
  const what = `${version}, with which builds are made, in ${NODE_FOLDER}`
  const misfit = misfitOf(program, state)
  if (misfit !== undefined) {
    if (state.node.version === version) return same(name, `${version} in ${NODE_FOLDER}, laid by hand`)
    return cannot({
      name,
      what: misfit,
      hint: `Lay Node ${version} for this host into ${place} and link ${NODE_FOLDER} to it, or run Drover on a machine of the host's kind.`,
    })
  }
  const isLaid = state.node.sha256 === sha256
  const isLinked = state.node.link === place
  if (isLaid && isLinked) return same(name, what)
  const staged = join(state.login.home, `.drover-node-${sha256.slice(0, 12)}`)
  return {
    name,
    sign: state.node.link === undefined ? 'add' : 'change',
    what,
    ...reasonOf(state, { place, version }),
    ...(isLaid ? {} : { upload: { folder: program.folder, target: staged } }),
    operations: [
      ...(isLaid
        ? []
        : [{ kind: 'run', program: 'sh', argv: ['-c', INSTALL, 'node', staged, place, sha256, version] } as const]),
      { kind: 'link', path: NODE_FOLDER, target: place },
    ],
  }
}

export const node: Judge = ({ node: program }, state) =>
  program === undefined ? same('node', 'not needed') : nodeItem(program, state)

function reasonOf({ node }: HostState, { place, version }: { place: string; version: string }): { why?: string } {
  if (node.link === undefined) return {}
  if (node.link !== place) return { why: `was ${node.version ?? 'another'}; builds are made with ${version} now` }
  return { why: 'is not the program that builds are made with' }
}

function misfitOf(program: NodeProgram, state: HostState): string | undefined {
  if (program.machine !== state.machine)
    return `Drover's own Node is for ${program.machine}, the host is ${state.machine}`
  if (program.glibc === undefined) return undefined
  if (state.glibc === undefined) return "Drover's own Node needs the GNU C library, which the host does not have"
  if (compareVersions(state.glibc, program.glibc) >= 0) return undefined
  return `Drover's own Node needs the GNU C library ${program.glibc}, the host has ${state.glibc}`
}

function compareVersions(one: string, other: string): number {
  const [major = 0, minor = 0] = one.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number)
  return major - otherMajor || minor - otherMinor
}
