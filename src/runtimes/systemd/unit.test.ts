import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderUnit } from './unit.ts'

const PLACE = { fleet: 'shop', environment: 'prod', root: '/srv/drover/shop/prod', systemd: 252 }
const SERVICE = { service: 'backend', drainMs: 30_000, restart: true }

test('the unit, whole', () => {
  const text = renderUnit(PLACE, { ...SERVICE, limits: { memoryBytes: 536_870_912, cpuPercent: 150 } })

  assert.equal(
    text,
    `# Written by Drover for shop/prod.
# As laid: d9ec7687d1db0537
# The next release writes it anew; what is to stay goes into a drop-in: systemctl edit shop-prod-backend@.service

[Unit]
Description=shop/prod backend, slot %i
After=network.target
# A host that goes down stops its router first: the others ask elsewhere, and what the slots have begun is finished.
Before=shop-prod-router.service
# What ran when the host went down runs again when it is back, and nothing else.
ConditionPathExists=/srv/drover/shop/prod/slots/backend/%i/wanted
# Never too many starts: the good version after a bad one must start.
StartLimitIntervalSec=0

[Service]
User=drover-services
Type=exec
EnvironmentFile=/etc/drover/environments/shop-prod-backend@%i.env
ExecStart=/bin/sh /srv/drover/shop/prod/slots/backend/%i/run
Restart=always
RestartSec=1s
TimeoutStopSec=30000ms
KillMode=control-group
SyslogIdentifier=backend@%i
SyslogLevelPrefix=no
StateDirectory=drover/shop-prod-backend
StateDirectoryMode=0700
Environment=HOME=/var/lib/drover/shop-prod-backend
UMask=0027
LimitNOFILE=65536
MemoryAccounting=yes
CPUAccounting=yes
MemoryMax=536870912
CPUQuota=150%
NoNewPrivileges=yes
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
RemoveIPC=yes
`,
  )
})

test('the pause between restarts grows where systemd can', () => {
  const text = renderUnit({ ...PLACE, systemd: 254 }, SERVICE)

  assert.match(text, /\nRestart=always\nRestartSec=100ms\nRestartSteps=8\nRestartMaxDelaySec=15s\n/)
})

test('what may not restart does not, and no drain time means no mercy rather than no end', () => {
  const text = renderUnit(PLACE, { ...SERVICE, restart: false, drainMs: 0 })

  assert.match(text, /\nRestart=no\nTimeoutStopSec=1ms\n/)
  assert.doesNotMatch(text, /RestartSec|MemoryMax|CPUQuota/)
})
