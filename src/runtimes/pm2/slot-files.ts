import { join } from 'node:path'
import { layout } from '../../hosts/layout.ts'
import { quote } from '../../hosts/host.ts'
import { specKey } from '../laid-spec.ts'
import { launchLine } from '../launch-line.ts'
import type { SlotRef, SlotSpec } from '../runtime.ts'

/**
 * What lies in a slot's folder:
 *
 *     slot.json    the spec that was laid last, and its key
 *     run          the launcher, what PM2 starts; PM2 may know the slot for as long as it is there
 *     env          0600: variables of this very slot
 *     starts       how often the launcher ran, and the last time:
 *                  `<count> <ms> <pid> <ticks> <boot id> <key of the spec>`; who lays a spec may be cut off before what
 *                  ran until then has ended
 *     stop         present: the slot is meant to be stopped, the launcher refuses to start it
 *     halted       present: it has refused, so PM2 will not try again
 *     log, log.1   stdout and stderr together since this spec was started first, and the end of what became too long
 *     log.before   the log of the spec before
 */
export interface SlotFiles {
  readonly folder: string
  readonly spec: string
  readonly run: string
  readonly variables: string
  readonly starts: string
  readonly stop: string
  readonly halted: string
  readonly log: string
  readonly oldLog: string
}

export function slotFiles(root: string, { service, slot }: SlotRef): SlotFiles {
  const folder = layout(root).slot(service, slot)
  return {
    folder,
    spec: join(folder, 'slot.json'),
    run: join(folder, 'run'),
    variables: join(folder, 'env'),
    starts: join(folder, 'starts'),
    stop: join(folder, 'stop'),
    halted: join(folder, 'halted'),
    log: join(folder, 'log'),
    oldLog: join(folder, 'log.1'),
  }
}

/** The launcher's exit code for "do not start me again". */
export const HALT = 77

/**
 * The launcher. It sheds the environment that PM2 adds and keeps its own out of PM2, marks the processes of the slot
 * with DROVER_SLOT_FOLDER (children inherit it, so that every one of them is found again, whoever its parent is), counts the
 * starts, gives a new spec a log of its own, and becomes the service. The service writes to its log by itself: it
 * outlives a PM2 that dies.
 */
export function renderLauncher(root: string, spec: SlotSpec): string {
  const files = slotFiles(root, spec)
  return `#!/bin/sh
# Written by Drover for release ${spec.release}.
slot=${quote(files.folder)}
if [ "\${DROVER_SLOT_FOLDER-}" != "$slot" ]; then
  case \${NODE_CHANNEL_FD-} in ''|*[!0-9]*) ;; *) eval "exec $NODE_CHANNEL_FD>&-" ;; esac
  exec env -i PATH="$PATH" HOME="\${HOME-/}" USER="\${USER-}" LANG="\${LANG-C.UTF-8}" TMPDIR="\${TMPDIR-/tmp}" DROVER_SLOT_FOLDER="$slot" /bin/sh "$slot/run"
fi
[ ! -e "$slot/stop" ] || { : >"$slot/halted"; exit ${HALT}; }
count=0
if [ -e "$slot/starts" ]; then read -r count rest <"$slot/starts"; fi
if [ "$count" -eq 0 ] && [ -s "$slot/log" ]; then rm -f "$slot/log.1" && mv -f "$slot/log" "$slot/log.before"; fi
exec </dev/null >>"$slot/log" 2>&1
${spec.restart ? '' : `[ "$count" -eq 0 ] || exit ${HALT}\n`}read -r boot </proc/sys/kernel/random/boot_id
read -r stat <"/proc/$$/stat"
set -- \${stat##*) }
printf '%s %s %s %s %s %s\\n' "$((count + 1))" "$(date +%s%3N)" "$$" "\${20}" "$boot" ${specKey(spec)} >"$slot/starts.part" && mv -f "$slot/starts.part" "$slot/starts"
cd ${quote(spec.cwd)} || exit 1
set -a
. ${quote(spec.environmentFile)}
. ${quote(files.variables)}
DROVER_SLOT_FOLDER=${quote(files.folder)}
set +a
exec /bin/sh -c ${quote(launchLine(spec.start))}
`
}
