import type { OperationResult } from '../../hosts/act.ts'
import { explainHelper, helperFailure } from '../../hosts/drover-host/drover-host.ts'
import type { Operation } from '../../hosts/operation.ts'
import type { Refusal } from '../../problem/problem.ts'
import { listensOf } from '../listens.ts'
import type { Listen } from '../listens.ts'
import type { Route } from '../router.ts'
import { renderShape } from './configuration.ts'
import type { Shape } from './configuration.ts'
import { change, script } from './instance.ts'
import type { Instance } from './instance.ts'
import { listListeners, takes } from './listeners.ts'
import { configure, loadShape } from './load.ts'
import { prefixOf } from './prefix.ts'
import { masterOf } from './processes.ts'
import type { NginxProcess } from './processes.ts'
import {
  configurationRefused,
  failedToListen,
  missingProgram,
  notLoaded,
  portsTaken,
  refuseNames,
} from './shape-refusals.ts'
import { FIND_NGINX, look } from './sight.ts'
import type { Sight } from './sight.ts'
import { layUnit, renderUnit } from './unit.ts'
import type { RouterUnit } from './unit.ts'

/** Makes nginx run with these routes. See `Router.shape`. */
export async function shapeNginx(instance: Instance, routes: readonly Route[]): Promise<{ changed: boolean }> {
  const listens = routes.flatMap(listensOf)
  refuseNames(instance.host, listens)
  const { host, fence, program, owner } = instance
  const seen = await look({ host, root: fence.root, program, owner })
  const shape = renderShape(routes, seen.machine)
  const unit = unitOf(instance, seen)
  const isLaid = unit === undefined || seen.systemd?.unit === renderUnit(unit)
  if (!isLaid) await layWithHelper(instance, unit)
  const master = masterOf(seen.processes)
  const isWhole = seen.configured === shape.id && seen.edited.shape.length === 0
  if (master?.shape === shape.id && isWhole) return { changed: !isLaid }

  await refuseTakenPorts(instance, listens, seen.processes)
  await layShape(instance, shape, listens)
  const loaded = await loadShape(instance, { id: shape.id, master, unit })
  if (loaded.exitCode === 0) return { changed: true }

  await change(instance, [configure(instance, seen.configured)], 'put the old shape back')
  throw await explain(instance, listens, loaded)
}

async function layWithHelper(instance: Instance, unit: RouterUnit): Promise<void> {
  try {
    await change(instance, [layUnit(unit)], 'lay the unit of the router')
  } catch (error) {
    throw explainHelper(instance.host.name, error)
  }
}

function unitOf({ fence, owner }: Instance, { program, systemd }: Sight): RouterUnit | undefined {
  if (owner === undefined || program === undefined || systemd === undefined) return undefined
  return { ...owner, root: fence.root, program, user: systemd.user }
}

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
  const taken = failedToListen(said, listens).get('taken') ?? []
  if (taken.length > 0) {
    const ports = taken.map(({ port }) => port)
    return portsTaken(host, taken, await listListeners(host, ports))
  }
  const helper = helperFailure(host.name, said)
  if (helper !== undefined) return helper
  if (loaded.exitCode === 20) return configurationRefused(host, said, listens)
  return notLoaded(host, said, prefixOf(fence.root).folder)
}
