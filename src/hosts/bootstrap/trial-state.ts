import { HELPER_TEXT, HELPER_VERSION } from '../drover-host/drover-host.ts'
import type { HostNeeds } from './needs.ts'
import { sudoersFor } from './root-access.ts'
import type { HostState } from './state.ts'

/** For tests: what a fleet with a service in Node wants, and a Debian as it is rented. */

export const LOGIN_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG+nyx1anYqgwEe4w7oS+b7FJ992MRbo7ZG+nlDyKqvO admin'
export const OTHER_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKKqvOnyx1anYqgwEe4w7oS+b7FJ992MRbo7ZG+nlDyK eve'
export const FINGERPRINT = 'SHA256:ccNL+/RADVkETxs6nZLKLySauwKJZcqqHI7Ydv5FOi4'

export const NEEDS: HostNeeds = {
  host: 'web-1',
  user: 'drover',
  roots: [],
  helper: { text: HELPER_TEXT, version: HELPER_VERSION },
  node: {
    version: 'v24.21.0',
    machine: 'x86_64',
    glibc: '2.28',
    sha256: 'ab'.repeat(32),
    bytes: 120 * 1024 ** 2,
    folder: '/supplies/node',
  },
  environments: [{ name: 'pakashop-production', ports: { gateway: 8000, ledger: 3085 } }],
  access: { given: [], fingerprint: FINGERPRINT },
}

export const BARE: HostState = {
  kernel: 'Linux',
  machine: 'x86_64',
  os: { id: 'debian', like: [], name: 'Debian GNU/Linux 12 (bookworm)' },
  init: 'systemd',
  systemd: true,
  glibc: '2.36',
  programs: new Set(['apt-get', 'sudo', 'visudo', 'nginx', 'python3', 'tar', 'perl', 'flock']),
  python: '3.11',
  disk: [{ path: '/', mount: '/', freeBytes: 8 * 1024 ** 3 }],
  login: { user: 'admin', home: '/home/admin', rights: 'sudo', keys: `# ours\n${OTHER_KEY}\n${LOGIN_KEY}\n` },
  servicesUser: false,
  folders: new Map(),
  helperAnswers: false,
  node: {},
  nginx: { hasFolder: true, active: true, upstreams: new Map(), told: false },
  journal: { settings: '' },
}

/** As bootstrap leaves it. */
export const READY: HostState = {
  ...BARE,
  user: {
    name: 'drover',
    home: '/home/drover',
    shell: '/bin/bash',
    groups: ['drover', 'adm', 'systemd-journal'],
    keys: `${LOGIN_KEY}\n`,
  },
  servicesUser: true,
  folders: new Map([['/srv/drover', { kind: 'filled', owner: 'drover', mode: '755' }]]),
  roots: '/srv/drover\n',
  helper: { text: HELPER_TEXT, owner: 'root:root', mode: '755' },
  sudoers: sudoersFor('drover'),
  node: { sha256: 'ab'.repeat(32), link: '/usr/local/lib/drover/node-v24.21.0', version: 'v24.21.0' },
  nginx: {
    ...BARE.nginx,
    told: true,
    file: `# Laid by drover hosts bootstrap: one upstream for each service, such as http://pakashop-production-gateway.
include /etc/drover/upstreams/*.conf;
`,
    upstreams: new Map([
      [
        'pakashop-production',
        `upstream pakashop-production-gateway { server 127.0.0.1:8000; keepalive 16; }
upstream pakashop-production-ledger { server 127.0.0.1:3085; keepalive 16; }
`,
      ],
    ]),
  },
  journal: { file: '[Journal]\n', settings: 'SystemMaxUse=1G\n' },
}
