/** Units for tests: two that the helper lays, and what somebody would like to have in them. */

export const ROOT = '/srv/drover/shop/prod'
export const UNIT = 'shop-prod-web@.service'
export const ROUTER = 'shop-prod-router.service'

export const SLOT_TEXT = `# Written by Drover for shop/prod.
[Unit]
Description=shop/prod web, slot %i
Before=shop-prod-router.service
ConditionPathExists=${ROOT}/slots/web/%i/wanted

[Service]
User=drover-services
Type=exec
EnvironmentFile=/etc/drover/environments/shop-prod-web@%i.env
ExecStart=/bin/sh ${ROOT}/slots/web/%i/run
Restart=always
NoNewPrivileges=yes
`

export const ROUTER_TEXT = `# Written by Drover for shop/prod.
[Unit]
Description=shop/prod router

[Service]
User=drover
Type=forking
PIDFile=${ROOT}/router/nginx.pid
ExecStart=/usr/sbin/nginx -p ${ROOT}/router -c ${ROOT}/router/nginx.conf
Restart=on-failure
`

/** What the router may run: it is the deploy user anyway. */
export const FINE_FOR_ROUTER: readonly string[] = [
  'ExecStartPre=/bin/true',
  'ExecStart=/bin/sh /tmp/run',
  `ExecStart=/bin/sh ${ROOT}/slots/web/../../../run`,
]

/** A line of a unit that the deploy user would like to have, instead of the one that begins as it does or at the end. */
export const TEMPTING: readonly string[] = [
  'User=root',
  'User=',
  'User=0',
  'Group=root',
  'SupplementaryGroups=shadow',
  'DynamicUser=yes',
  'PermissionsStartOnly=yes',
  'ExecStartPre=+/bin/cp /bin/sh /tmp/rootsh',
  'ExecStartPre=/bin/true',
  'ExecStopPost=!/bin/true',
  `ExecStart=+/bin/sh ${ROOT}/slots/web/%i/run`,
  `ExecStart=!!/bin/sh ${ROOT}/slots/web/%i/run`,
  'ExecStart=/bin/sh /tmp/run',
  `ExecStart=/bin/sh ${ROOT}/slots/web/../../../run`,
  `ExecStart=/bin/sh ${ROOT}/slots/web/%i/run ; +/bin/sh`,
  `ExecStart=/bin/sh ${ROOT}/slots/other/%i/run`,
  'EnvironmentFile=/etc/shadow',
  `EnvironmentFile=${ROOT}/slots/web/%i/env`,
  'LoadCredential=all:/etc/shadow',
  'AmbientCapabilities=CAP_SYS_ADMIN',
  'CapabilityBoundingSet=CAP_SYS_ADMIN',
  'SecureBits=keep-caps',
  'StateDirectory=../../etc',
  'StateDirectory=drover/shop-other',
  'ReadWritePaths=/etc',
  `ReadWritePaths=${ROOT}/../../../etc`,
  'BindPaths=/etc:/srv/etc',
  'RootDirectory=/srv/drover',
  'StandardOutput=append:/etc/passwd',
  'WorkingDirectory=/root',
  'PIDFile=/run/sshd.pid',
  `PIDFile=${ROOT}/router/passwd`,
  'Environment=LD_PRELOAD=/srv/drover/evil.so',
  'ConditionPathExists=|!/etc/shadow',
  'OnFailure=poweroff.target',
  'Restart=always \\',
  ' Restart=always',
  'Restart=always\r',
  'Restart=always\0',
  'Descriptïon=x',
  '; User=root',
  '.include /tmp/unit',
  '[Install]',
  '[Socket]',
  'Before=ssh.service',
  'Alias=ssh.service',
  'NoNewPrivileges=no',
]

/** The text with this line instead of the one that sets the same. */
export function instead(text: string, line: string): string {
  const key = line.slice(0, line.indexOf('=') + 1)
  const lines = text.split('\n')
  const at = lines.findIndex((one) => key !== '' && one.startsWith(key))
  if (at === -1) return `${text}${line}\n`
  return lines.with(at, line).join('\n')
}

export function inUnitSection(text: string, line: string): string {
  return text.replace(`${line}\n`, '').replace('[Unit]\n', `[Unit]\n${line}\n`)
}
