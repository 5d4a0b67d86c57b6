import type { OperationResult } from '../../hosts/act.ts'
import type { Operation } from '../../hosts/operation.ts'
import { change, script } from './instance.ts'
import type { Instance } from './instance.ts'
import { prefixOf } from './prefix.ts'
import { AWAIT_SHAPE, END_PROCESSES, LIST_PROCESSES } from './processes.ts'
import type { NginxProcess } from './processes.ts'
import { FIND_NGINX } from './sight.ts'
import { START_UNIT } from './unit.ts'
import type { RouterUnit } from './unit.ts'

/** Which shape is loaded after a cut of the power is decided on the disk. */
const SETTLED = `await_shape "$1" "$2" "\${old-}" || exit
sync -- "$1"`

/** Workers without a master hold the ports: they finish what they have begun and make way. */
const START = `${LIST_PROCESSES}${AWAIT_SHAPE}${END_PROCESSES}${FIND_NGINX}
end_processes "$1" ' (master|worker) ' || exit 22
"$3" -p "$1" -c nginx.conf || exit 20
${SETTLED}`

/** systemd may be about to start it by itself; a failure stands in its journal, and in the log of the shape. */
const START_BY_SYSTEMD = `${LIST_PROCESSES}${AWAIT_SHAPE}${END_PROCESSES}${START_UNIT}
end_processes "$1" ' (master|worker) ' || exit 22
start_unit "$3" "$4" || { cat -- "$1/shapes/$2/error.log"; exit 20; }
${SETTLED}`

/**
 * A reload closes connections on which no request is under way, and a client may just be sending the next one there. So
 * for a while every answer asks its client to come back on a new connection; what rests then has been resting for long.
 */
const RELOAD = `${LIST_PROCESSES}${AWAIT_SHAPE}
running=$(list_processes "$1" | grep "^process $3 " | cut -d ' ' -f 5)
old=$(list_processes "$1" | grep ' worker ' | cut -d ' ' -f 2 | paste -s -d '|' -)
trap 'rm -f -- "$1/shapes/$running/closing"' EXIT
: >"$1/shapes/$running/closing" || exit
sleep "$4"
kill -s HUP "$3" || exit 22
${SETTLED}`

export interface Loading {
  readonly id: string
  readonly master: NginxProcess | undefined
  /** Where systemd is to start it. */
  readonly unit: RouterUnit | undefined
}

/** Starts nginx, or tells it to reload; returns when the new shape answers or nginx has given it up. */
export async function loadShape(instance: Instance, { id, master, unit }: Loading): Promise<OperationResult> {
  const { folder } = prefixOf(instance.fence.root)
  const operations: Operation[] = [
    configure(instance, id),
    { ...loading(instance, [folder, id], { master, unit }), daemonizes: true, mayFail: true },
  ]
  const [loaded] = await change(instance, operations, 'load the shape of the router')
  return loaded ?? { exitCode: 1, stdout: '', stderr: '' }
}

function loading(
  { program, closingMs }: Instance,
  argv: readonly string[],
  { master, unit }: Omit<Loading, 'id'>,
): Operation & { readonly kind: 'run' } {
  if (master !== undefined) return script(RELOAD, [...argv, String(master.pid), (closingMs / 1000).toFixed(3)])
  if (unit !== undefined) return script(START_BY_SYSTEMD, [...argv, unit.fleet, unit.environment])
  return script(START, [...argv, program])
}

/** Says which shape nginx loads next. */
export function configure({ fence }: Instance, id: string | undefined): Operation {
  const path = prefixOf(fence.root).configuration
  return id === undefined ? { kind: 'remove', path } : { kind: 'link', path, target: `shapes/${id}/nginx.conf` }
}
