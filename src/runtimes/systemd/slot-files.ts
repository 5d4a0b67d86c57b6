import { join } from 'node:path'
import { NODE_BIN } from '../../hosts/bootstrap/node-program.ts'
import { quote } from '../../hosts/host.ts'
import { layout } from '../../hosts/layout.ts'
import type { Secret } from '../../secrets/secret.ts'
import { renderEnvironmentFile } from '../environment-file.ts'
import { specKey } from '../laid-spec.ts'
import { launchLine } from '../launch-line.ts'
import type { SlotRef, SlotSpec } from '../runtime.ts'

/**
 * What lies in a slot's folder:
 *
 *     slot.json    the spec that was laid last, and its key
 *     run          what the unit executes: goes to the artifact's folder and becomes the service
 *     env          0600: variables of this very slot
 *     wanted       present: the slot is meant to run; systemd starts it only then
 *     since        when the spec was laid, `<boot id> <µs since boot> <µs since the epoch>`: its log begins here
 *
 * The first three change only while `wanted` is absent and nothing runs, so what runs was started from what lies there.
 * The key is in all three: a power cut may lose some of them, and what does not belong together does not run.
 */
export interface SlotFiles {
  readonly folder: string
  readonly spec: string
  readonly run: string
  readonly variables: string
  readonly wanted: string
  readonly since: string
}

export function slotFiles(root: string, { service, slot }: SlotRef): SlotFiles {
  const folder = layout(root).slot(service, slot)
  return {
    folder,
    spec: join(folder, 'slot.json'),
    run: join(folder, 'run'),
    variables: join(folder, 'env'),
    wanted: join(folder, 'wanted'),
    since: join(folder, 'since'),
  }
}

/** Read after the service's own file, so that these win. */
export function renderVariables(spec: SlotSpec): string | Secret {
  return renderEnvironmentFile([...Object.entries(spec.variables), ['DROVER_SLOT_KEY', specKey(spec)]])
}

export function renderLauncher(root: string, spec: SlotSpec): string {
  const key = specKey(spec)
  return `#!/bin/sh
# Written by Drover for release ${spec.release}.
{
read -r laid <${quote(slotFiles(root, spec).spec)}
case $DROVER_SLOT_KEY$laid in
  '${key}{"key":"${key}",'*) ;;
  *) echo 'drover: the files of this slot do not belong together, was the power cut? Release again.' >&2; exit 78 ;;
esac
unset DROVER_SLOT_KEY laid
PATH=${NODE_BIN}:$PATH
cd ${quote(spec.cwd)} || exit 1
exec /bin/sh -c ${quote(launchLine(spec.start))}
}
`
}
