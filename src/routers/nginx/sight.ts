import { ROOTS_FILE } from '../../hosts/bootstrap/places.ts'
import { HELPER_PATH } from '../../hosts/drover-host/drover-host.ts'
import type { UnitOwner } from '../../hosts/drover-host/units.ts'
import type { Host } from '../../hosts/host.ts'
import { refusal } from '../../problem/problem.ts'
import type { RouteSet } from '../router.ts'
import type { Machine } from './configuration.ts'
import { SHAPE_ID_LENGTH, UNNAMED_SHAPE } from './configuration.ts'
import { SET_FILES, markersOf, prefixOf } from './prefix.ts'
import { LIST_PROCESSES, readProcesses } from './processes.ts'
import type { NginxProcess } from './processes.ts'
import { readSet } from './sets.ts'
import { unitPath } from './unit.ts'

/** What a look at a host tells of the nginx of an environment, without changing anything. */
export interface Sight {
  readonly machine: Machine
  readonly processes: readonly NginxProcess[]
  /** The shape that nginx would load now. */
  readonly configured: string | undefined
  readonly live: RouteSet | undefined
  /** Paths on the host of what is not as it was laid: of the shape that nginx would load, of the live set. */
  readonly edited: { readonly shape: readonly string[]; readonly live: readonly string[] }
  /** Where the program lies; undefined where there is none. */
  readonly program: string | undefined
  /** Where root's helper lets systemd run nginx as us: who we are, and the text of the unit that is there. */
  readonly systemd?: { readonly user: string; readonly unit: string | undefined }
}

/** Debian has nginx in /usr/sbin, which is not on everyone's PATH. */
export const FIND_NGINX = 'PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n'

/** The arguments are the prefix, the program and the unit file, which may be empty. */
const LOOK = `${LIST_PROCESSES}${FIND_NGINX}
LC_ALL=C
export LC_ALL
list_processes "$1"
printf 'files %s\\n' "$(ulimit -Hn)"
printf 'program %s\\n' "$(command -v -- "$2")"
configured=$(readlink -- "$1/nginx.conf")
printf 'configured %s\\n' "$configured"
case $configured in
  shapes/*/nginx.conf)
    id=\${configured#shapes/} id=\${id%/nginx.conf}
    found=$(sed "s/$id/${UNNAMED_SHAPE}/g" -- "$1/$configured" 2>/dev/null | sha256sum | cut -c 1-${SHAPE_ID_LENGTH})
    [ "$found" = "$id" ] || printf 'edited %s\\n' "$configured" ;;
  *) if [ -e "$1/nginx.conf" ]; then printf 'edited nginx.conf\\n'; fi ;;
esac
if [ -e "$1/live/set.json" ]; then printf 'live '; cat -- "$1/live/set.json"; printf '\\n'; fi
for file in "$1"/live/*; do printf 'marker %s\\n' "\${file##*/}"; done
if [ "$(id -u)" -eq 0 ]; then
  if [ -d "$1" ]; then stat -c 'owner %U %G' -- "$1"; else printf 'owner %s %s\\n' "$(id -un)" "$(id -gn)"; fi
elif [ -n "$3" ] && [ -x ${HELPER_PATH} ]; then
  allowed=/srv/drover
  if [ -r ${ROOTS_FILE} ]; then allowed=$(cat ${ROOTS_FILE}); fi
  for place in $allowed; do
    case $1 in "$place"/*) printf 'helper %s\\n' "$(id -un)"; break ;; esac
  done
  if [ -e "$3" ]; then sed 's/^/unit /' -- "$3"; fi
fi`

export interface Looking {
  readonly host: Host
  readonly root: string
  readonly program: string
  readonly owner: UnitOwner | undefined
}

export async function look({ host, root, program, owner }: Looking): Promise<Sight> {
  const { folder } = prefixOf(root)
  const unit = owner === undefined ? '' : unitPath(owner)
  const { ok, stdout, stderr } = await host.run({
    program: 'sh',
    argv: ['-c', LOOK, 'sh', folder, program, unit],
    summary: 'look at nginx',
  })
  if (!ok) {
    throw refusal('routers/unreadable', `host ${host.name}`, `cannot look at nginx in ${folder}: ${stderr.trim()}`)
  }
  const all = (word: string): string[] =>
    [...stdout.matchAll(new RegExp(`^${word} ?(.*)$`, 'gm'))].map(([, rest = '']) => rest)
  const set = all('live')[0]
  const live = set === undefined ? undefined : readSet(set)
  const found = all('program')[0]
  const user = all('helper')[0]
  return {
    machine: machineOf(folder, all('files')[0], all('owner')[0]),
    processes: readProcesses(stdout),
    configured: /^shapes\/([^/]+)\/nginx\.conf$/.exec(all('configured')[0] ?? '')?.[1],
    live,
    edited: {
      shape: all('edited').map((file) => `${folder}/${file}`),
      live: editedMarkers(live, all('marker')).map((file) => `${folder}/${file}`),
    },
    program: found === '' ? undefined : found,
    ...(user === undefined ? {} : { systemd: { user, unit: unitText(all('unit')) } }),
  }
}

function machineOf(folder: string, files: string | undefined, owner: string | undefined): Machine {
  const [, name, group] = /^(\S+) (\S+)$/.exec(owner ?? '') ?? []
  return {
    folder,
    files: /^\d+$/.test(files ?? '') ? Number(files) : Number.POSITIVE_INFINITY,
    ...(name === undefined || group === undefined ? {} : { user: { name, group } }),
  }
}

/** Markers that somebody took away or put beside the others. */
function editedMarkers(live: RouteSet | undefined, found: readonly string[]): string[] {
  if (live === undefined) return []
  const laid = [...markersOf(live), ...SET_FILES]
  return [...new Set(laid).symmetricDifference(new Set(found))].map((name) => `live/${name}`)
}

function unitText(lines: readonly string[]): string | undefined {
  return lines.length === 0 ? undefined : lines.map((line) => `${line}\n`).join('')
}
