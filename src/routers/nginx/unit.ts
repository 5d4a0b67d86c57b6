import { AS_ROOT_FUNCTION, HELPER_PATH } from '../../hosts/drover-host/drover-host.ts'
import { sealed } from '../../hosts/drover-host/seal.ts'
import { routerUnit, UNIT_FOLDER, unitHeader, unitStream } from '../../hosts/drover-host/units.ts'
import type { UnitOwner } from '../../hosts/drover-host/units.ts'
import type { Operation } from '../../hosts/operation.ts'
import { script } from './instance.ts'
import { prefixOf } from './prefix.ts'

/** What systemd runs, so that a host that went down comes back with its router. */
export interface RouterUnit extends UnitOwner {
  readonly root: string
  /** Absolute path of nginx on the host. */
  readonly program: string
  /** Who Drover is there. */
  readonly user: string
}

/** The helper on the host knows every line of it. nginx daemonizes as it does without systemd, from the same files. */
export function renderUnit(unit: RouterUnit): string {
  const { fleet, environment, root, program, user } = unit
  const { folder, configuration } = prefixOf(root)
  return sealed(`${unitHeader(unit)}
# Changes by hand are lost with the next release; what is to stay goes into a drop-in: systemctl edit ${routerUnit(unit)}

[Unit]
Description=${fleet}/${environment} router
After=network-online.target
Wants=network-online.target
ConditionPathExists=${configuration}
# An address of the host, or a name of another one, may be there only a while after the start.
StartLimitIntervalSec=0

[Service]
User=${user}
Type=forking
PIDFile=${folder}/nginx.pid
ExecStart=${program} -p ${folder} -c nginx.conf
KillSignal=SIGQUIT
KillMode=mixed
TimeoutStopSec=30s
Restart=always
RestartSec=1s
SyslogIdentifier=router
LimitNOFILE=65536
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=${folder}
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
`)
}

export function unitPath(owner: UnitOwner): string {
  return `${UNIT_FOLDER}/${routerUnit(owner)}`
}

const LAY = `${AS_ROOT_FUNCTION}printf '%s' "$4" | as_root units "$1" "$2" "$3"`

/** systemd knows it from now on, and starts it when the host comes up. */
export function layUnit(unit: RouterUnit): Operation {
  const { fleet, environment, root } = unit
  const stream = unitStream(new Map([[routerUnit(unit), renderUnit(unit)]]))
  return script(LAY, [fleet, environment, root, stream])
}

/** Shell function: `start_unit <fleet> <environment>`, also where it runs already, or tries to. */
export const START_UNIT = `${AS_ROOT_FUNCTION}start_unit() { as_root router "$1" "$2" restart; }
`

/** Shell function: `stop_unit <fleet> <environment> <unit file>`, where there is one. */
export const STOP_UNIT = `${AS_ROOT_FUNCTION}stop_unit() {
  if [ -e "$3" ] && [ -x ${HELPER_PATH} ]; then as_root router "$1" "$2" stop; fi
}
`
