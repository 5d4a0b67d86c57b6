import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderSpec, specKey } from '../laid-spec.ts'
import type { SlotSpec } from '../runtime.ts'
import { renderEcosystem } from './ecosystem.ts'
import { pm2Environment, pm2Home } from './home.ts'
import { renderLauncher } from './slot-files.ts'

const SPEC: SlotSpec = {
  service: 'backend',
  slot: 'a',
  artifact: 'art1',
  config: 'conf1',
  start: 'node server.js --name "it\'s"',
  cwd: '/srv/shop/artifacts/backend/art1',
  environmentFile: '/srv/shop/env/backend/conf1.env',
  variables: { PORT: '4080' },
  port: 4080,
  drainMs: 5000,
  release: 7,
  restart: true,
}

test('the launcher, whole', () => {
  const launcher = renderLauncher("/srv/it's", SPEC)

  assert.equal(
    launcher,
    `#!/bin/sh
# Written by Drover for release 7.
slot='/srv/it'\\''s/slots/backend/a'
if [ "\${DROVER_SLOT_FOLDER-}" != "$slot" ]; then
  case \${NODE_CHANNEL_FD-} in ''|*[!0-9]*) ;; *) eval "exec $NODE_CHANNEL_FD>&-" ;; esac
  exec env -i PATH="$PATH" HOME="\${HOME-/}" USER="\${USER-}" LANG="\${LANG-C.UTF-8}" TMPDIR="\${TMPDIR-/tmp}" DROVER_SLOT_FOLDER="$slot" /bin/sh "$slot/run"
fi
[ ! -e "$slot/stop" ] || { : >"$slot/halted"; exit 77; }
count=0
if [ -e "$slot/starts" ]; then read -r count rest <"$slot/starts"; fi
if [ "$count" -eq 0 ] && [ -s "$slot/log" ]; then rm -f "$slot/log.1" && mv -f "$slot/log" "$slot/log.before"; fi
exec </dev/null >>"$slot/log" 2>&1
read -r boot </proc/sys/kernel/random/boot_id
read -r stat <"/proc/$$/stat"
set -- \${stat##*) }
printf '%s %s %s %s %s %s\\n' "$((count + 1))" "$(date +%s%3N)" "$$" "\${20}" "$boot" ${specKey(SPEC)} >"$slot/starts.part" && mv -f "$slot/starts.part" "$slot/starts"
cd /srv/shop/artifacts/backend/art1 || exit 1
set -a
. /srv/shop/env/backend/conf1.env
. '/srv/it'\\''s/slots/backend/a/env'
DROVER_SLOT_FOLDER='/srv/it'\\''s/slots/backend/a'
set +a
exec /bin/sh -c 'exec node server.js --name "it'\\''s"'
`,
  )
})

test('a slot that may not start again halts at the second start', () => {
  const launcher = renderLauncher('/srv', { ...SPEC, restart: false })

  assert.match(launcher, /\n\[ "\$count" -eq 0 \] \|\| exit 77\n/)
})

test('a single command replaces the shell, anything more does not', () => {
  const lines = [
    'node a.js',
    './run',
    'A=1 node a.js',
    'cd dist && node a.js',
    'a | b',
    'exec node a.js',
    'node $(which x)',
    'npm run "start:prod"',
  ]

  const last = lines.map((start) =>
    renderLauncher('/srv', { ...SPEC, start })
      .trim()
      .split('\n')
      .at(-1),
  )

  assert.deepEqual(last, [
    "exec /bin/sh -c 'exec node a.js'",
    "exec /bin/sh -c 'exec ./run'",
    "exec /bin/sh -c 'A=1 node a.js'",
    "exec /bin/sh -c 'cd dist && node a.js'",
    "exec /bin/sh -c 'a | b'",
    "exec /bin/sh -c 'exec node a.js'",
    "exec /bin/sh -c 'node $(which x)'",
    `exec /bin/sh -c 'exec npm run "start:prod"'`,
  ])
})

test('two specs are one program whatever the release, the drain time and the variables of the slot', () => {
  const same = [
    { ...SPEC, release: 8 },
    { ...SPEC, drainMs: 1 },
    { ...SPEC, variables: {} },
  ]
  const other = [
    { ...SPEC, artifact: 'art2' },
    { ...SPEC, config: 'conf2' },
    { ...SPEC, start: 'node x' },
    { ...SPEC, cwd: '/' },
    { ...SPEC, environmentFile: '/e' },
    { ...SPEC, port: 4081 },
    { ...SPEC, restart: false },
  ]

  assert.deepEqual(new Set(same.map(specKey)), new Set([specKey(SPEC)]))
  assert.equal(new Set([SPEC, ...other].map(specKey)).size, other.length + 1)
})

test('the laid spec is one line', () => {
  assert.equal(
    renderSpec(SPEC),
    `{"key":"${specKey(SPEC)}","artifact":"art1","config":"conf1","release":7,"port":4080,"drainMs":5000}\n`,
  )
})

test('PM2 is told of slots, not of what runs in them', () => {
  const text = renderEcosystem('/srv', [SPEC])

  assert.deepEqual(JSON.parse(text), {
    apps: [
      {
        name: 'backend.a',
        script: '/bin/sh',
        args: ['/srv/slots/backend/a/run'],
        interpreter: 'none',
        cwd: '/srv/slots/backend/a',
        out_file: '/dev/null',
        error_file: '/dev/null',
        pid_file: '/srv/slots/backend/a/pm2-pid',
        autorestart: true,
        exp_backoff_restart_delay: 30,
        stop_exit_codes: [77],
        kill_timeout: 5000,
        treekill: true,
        pmx: false,
        vizion: false,
        automation: false,
      },
    ],
  })
})

test('PM2 lives below the root unless its sockets would have too long a path', () => {
  const long = `/srv/${'x'.repeat(90)}`

  assert.deepEqual(pm2Home('/srv/shop'), { folder: '/srv/shop/pm2', link: '/srv/shop/pm2' })
  assert.match(pm2Home(long).folder, /^\/tmp\/drover-pm2-[0-9a-f]{16}$/)
  assert.equal(pm2Home(long).link, `${long}/pm2`)
  assert.notEqual(pm2Home(long).folder, pm2Home(`${long}y`).folder)
})

test('PM2 asks nobody on the network', () => {
  const environment = pm2Environment(pm2Home('/srv/shop'))

  assert.deepEqual(environment, {
    PM2_HOME: '/srv/shop/pm2',
    PM2_KILL_SIGNAL: 'SIGTERM',
    PM2_CONCURRENT_ACTIONS: '32',
    PM2_NO_INTERACTION: 'true',
    NODE_COMPILE_CACHE: '/srv/shop/pm2/compiled',
    PM2_DISABLE_VERSION_CHECK: 'true',
    PM2_DISCRETE_MODE: 'true',
  })
})
