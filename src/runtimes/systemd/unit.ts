import { SERVICE_USER } from '../../hosts/drover-host/drover-host.ts'
import { sealed } from '../../hosts/drover-host/seal.ts'
import { routerUnit, unitHeader, unitPrefix } from '../../hosts/drover-host/units.ts'
import type { UnitOwner } from '../../hosts/drover-host/units.ts'
import { layout } from '../../hosts/layout.ts'
import type { SlotSpec } from '../runtime.ts'

/** Where a unit lies, and what its host can read. */
export interface UnitPlace extends UnitOwner {
  readonly root: string
  /** Of the host's systemd. */
  readonly systemd: number
}

/** What of a spec its unit says; everything else changes with each release and stands in the slot's files. */
export type ServiceUnit = Pick<SlotSpec, 'service' | 'drainMs' | 'restart' | 'limits'>

/** The first version that lets the pause between restarts grow. */
export const GROWING_PAUSE = 254

/** The template of a service, with an instance for each slot. The helper on the host knows every line of it. */
export function renderUnit(place: UnitPlace, unit: ServiceUnit): string {
  const { fleet, environment, root } = place
  const { service } = unit
  const name = `${unitPrefix(place)}-${service}`
  const slot = `${layout(root).slot(service, 'a').replace(/a$/, '')}%i`
  return sealed(`${unitHeader(place)}
# The next release writes it anew; what is to stay goes into a drop-in: systemctl edit ${name}@.service

[Unit]
Description=${fleet}/${environment} ${service}, slot %i
After=network.target
# A host that goes down stops its router first: the others ask elsewhere, and what the slots have begun is finished.
Before=${routerUnit(place)}
# What ran when the host went down runs again when it is back, and nothing else.
ConditionPathExists=${slot}/wanted
# Never too many starts: the good version after a bad one must start.
StartLimitIntervalSec=0

[Service]
User=${SERVICE_USER}
Type=exec
EnvironmentFile=/etc/drover/environments/${name}@%i.env
ExecStart=/bin/sh ${slot}/run
${restartLines(place, unit)}
TimeoutStopSec=${Math.max(1, Math.round(unit.drainMs))}ms
KillMode=control-group
SyslogIdentifier=${service}@%i
SyslogLevelPrefix=no
StateDirectory=drover/${name}
StateDirectoryMode=0700
Environment=HOME=/var/lib/drover/${name}
UMask=0027
LimitNOFILE=65536
${limitLines(unit)}
${HARDENING}
`)
}

function restartLines({ systemd }: UnitPlace, { restart }: ServiceUnit): string {
  if (!restart) return 'Restart=no'
  return systemd < GROWING_PAUSE
    ? 'Restart=always\nRestartSec=1s'
    : 'Restart=always\nRestartSec=100ms\nRestartSteps=8\nRestartMaxDelaySec=15s'
}

function limitLines({ limits = {} }: ServiceUnit): string {
  return [
    'MemoryAccounting=yes',
    'CPUAccounting=yes',
    ...(limits.memoryBytes === undefined ? [] : [`MemoryMax=${Math.round(limits.memoryBytes)}`]),
    ...(limits.cpuPercent === undefined ? [] : [`CPUQuota=${Math.max(1, Math.round(limits.cpuPercent))}%`]),
  ].join('\n')
}

/**
 * What a program without root's rights could still do. ProtectKernelTunables, ProtectControlGroups and their like are
 * not here: they take from root what this user never has, and take 50 ms of processor time from each start.
 * AF_NETLINK: without it no program can list the machine's addresses, as web frameworks do when they start.
 */
const HARDENING = `NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
RemoveIPC=yes`
