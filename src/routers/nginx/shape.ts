import type { OperationResult } from '../../hosts/act.ts'
import type { Host } from '../../hosts/host.ts'
import type { Operation } from '../../hosts/operation.ts'
import { refusal } from '../../problem/problem.ts'
import type { Refusal } from '../../problem/problem.ts'
import { listensOf } from '../listens.ts'
import type { Listen } from '../listens.ts'
import type { Route } from '../router.ts'
import { renderShape } from './configuration.ts'
import type { Machine, Shape } from './configuration.ts'
import { change, script } from './instance.ts'
import type { Instance } from './instance.ts'
import { listListeners, takes } from './listeners.ts'
import { prefixOf } from './prefix.ts'
import { AWAIT_SHAPE, END_PROCESSES, LIST_PROCESSES, masterOf, readProcesses } from './processes.ts'
import type { NginxProcess } from './processes.ts'
import {
  configurationRefused,
  failedToListen,
  missingProgram,
  notLoaded,
  portsTaken,
  refuseNames,
} from './shape-refusals.ts'

/** Makes nginx run with these routes. See `Router.shape`. */
export async function shapeNginx(instance: Instance, routes: readonly Route[]): Promise<{ changed: boolean }> {
  const seen = await look(instance.host, instance.fence.root)
  const shape = renderShape(routes, seen.machine)
  const master = masterOf(seen.processes)
  if (master?.shape === shape.id && seen.configured === shape.id) return { changed: false }

  const listens = routes.flatMap(listensOf)
  refuseNames(instance.host, listens)
  await refuseTakenPorts(instance, listens, seen.processes)
  await layShape(instance, shape, listens)
  const loaded = await loadShape(instance, shape, master)
  if (loaded.exitCode === 0) return { changed: true }

  await change(instance, [configure(instance, seen.configured)], 'put the old shape back')
  throw await explain(instance, listens, loaded)
}

/** What a look at the host tells, without changing it. */
export interface Sight {
  readonly machine: Machine
  readonly processes: readonly NginxProcess[]
  /** The shape that nginx would load now. */
  readonly configured: string | undefined
}

const LOOK = `${LIST_PROCESSES}
list_processes "$1"
printf 'files %s\\n' "$(ulimit -Hn)"
printf 'configured %s\\n' "$(readlink -- "$1/nginx.conf")"
if [ "$(id -u)" -eq 0 ]; then
  if [ -d "$1" ]; then stat -c 'owner %U %G' -- "$1"; else printf 'owner %s %s\\n' "$(id -un)" "$(id -gn)"; fi
fi
`

async function look(host: Host, root: string): Promise<Sight> {
  const { folder } = prefixOf(root)
  const { ok, stdout, stderr } = await host.run({
    program: 'sh',
    argv: ['-c', LOOK, 'sh', folder],
    summary: 'look at nginx',
  })
  if (!ok) {
    throw refusal('routers/unreadable', `host ${host.name}`, `cannot look at nginx in ${folder}: ${stderr.trim()}`)
  }
  const [, name, group] = /^owner (\S+) (\S+)$/m.exec(stdout) ?? []
  const files = /^files (\d+)$/m.exec(stdout)?.[1]
  return {
    machine: {
      folder,
      files: files === undefined ? Number.POSITIVE_INFINITY : Number(files),
      ...(name === undefined || group === undefined ? {} : { user: { name, group } }),
    },
    processes: readProcesses(stdout),
    configured: /^configured shapes\/([^/\n]+)\/nginx\.conf$/m.exec(stdout)?.[1],
  }
}

/** Debian has nginx in /usr/sbin, which is not on everyone's PATH. */
const FIND_NGINX = 'PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin\n'

const CHECK = `${FIND_NGINX}: >"$1/shapes/$2/error.log" && exec "$3" -t -q -p "$1" -c "shapes/$2/nginx.conf"`

/** Lays the shape beside the one in use, and lets nginx judge it. */
async function layShape(instance: Instance, { id, configuration }: Shape, listens: readonly Listen[]): Promise<void> {
  const { folder } = prefixOf(instance.fence.root)
  const operations: Operation[] = [
    // Only for its owner: access log and tokens lie here.
    { kind: 'folder', path: folder, mode: 0o700 },
    ...['temporary', 'sets'].map((name) => ({ kind: 'folder' as const, path: `${folder}/${name}` })),
    { kind: 'folder', path: `${folder}/shapes/${id}` },
    { kind: 'write', path: `${folder}/shapes/${id}/nginx.conf`, content: configuration },
    { ...script(CHECK, [folder, id, instance.program]), mayFail: true },
  ]
  const [checked] = await change(instance, operations, 'lay the shape of the router')
  if (checked?.exitCode === 126 || checked?.exitCode === 127) throw missingProgram(instance.host, instance.program)
  if (checked?.exitCode !== 0) throw configurationRefused(instance.host, checked?.stderr ?? '', listens)
}

/** Workers without a master hold the ports: they finish what they have begun and make way. */
const START = `${LIST_PROCESSES}${AWAIT_SHAPE}${END_PROCESSES}${FIND_NGINX}
end_processes "$1" ' (master|worker) ' || exit 22
"$3" -p "$1" -c nginx.conf || exit 20
await_shape "$1" "$2"`

/**
 * A reload closes connections on which no request is under way, and a client may just be sending the next one there. So
 * for a while every answer asks its client to come back on a new connection; what rests then has been resting for long.
 */
const RELOAD = `${LIST_PROCESSES}${AWAIT_SHAPE}
running=$(list_processes "$1" | grep "^process $3 " | cut -d ' ' -f 5)
trap 'rm -f -- "$1/shapes/$running/closing"' EXIT
: >"$1/shapes/$running/closing" || exit
sleep "$4"
kill -s HUP "$3" || exit 22
await_shape "$1" "$2"`

/** Starts nginx, or tells it to reload; returns when the new shape answers or nginx has given it up. */
async function loadShape(instance: Instance, shape: Shape, master: NginxProcess | undefined): Promise<OperationResult> {
  const { folder } = prefixOf(instance.fence.root)
  const [text, argv] =
    master === undefined
      ? [START, [instance.program]]
      : [RELOAD, [String(master.pid), (instance.closingMs / 1000).toFixed(3)]]
  const operations: Operation[] = [
    configure(instance, shape.id),
    { ...script(text, [folder, shape.id, ...argv]), daemonizes: true, mayFail: true },
  ]
  const [loaded] = await change(instance, operations, 'load the shape of the router')
  return loaded ?? { exitCode: 1, stdout: '', stderr: '' }
}

/** Says which shape nginx loads next. */
function configure({ fence }: Instance, id: string | undefined): Operation {
  const path = prefixOf(fence.root).configuration
  return id === undefined ? { kind: 'remove', path } : { kind: 'link', path, target: `shapes/${id}/nginx.conf` }
}

/**
 * nginx would find out by itself, but would try for 2.5 s first. What is uncertain here, or is taken between this look
 * and nginx's own attempt, is left to nginx.
 */
async function refuseTakenPorts(
  { host }: Instance,
  listens: readonly Listen[],
  processes: readonly NginxProcess[],
): Promise<void> {
  const ours = new Set(processes.map(({ pid }) => pid))
  const listeners = await listListeners(
    host,
    listens.map(({ port }) => port),
  )
  const strangers = listeners.filter(({ pid }) => pid === undefined || !ours.has(pid))
  const taken = listens.filter(({ address, port }) => strangers.some((one) => takes(one, address, port)))
  if (taken.length > 0) throw portsTaken(host, taken, strangers)
}

async function explain(
  { host, fence }: Instance,
  listens: readonly Listen[],
  loaded: OperationResult,
): Promise<Refusal> {
  const said = `${loaded.stdout}\n${loaded.stderr}`
  const failed = failedToListen(said, listens)
  const taken = failed.get('taken') ?? []
  if (taken.length > 0) {
    const ports = taken.map(({ port }) => port)
    return portsTaken(host, taken, await listListeners(host, ports))
  }
  if (loaded.exitCode === 20) return configurationRefused(host, said, listens)
  return notLoaded(host, said, prefixOf(fence.root).folder)
}
