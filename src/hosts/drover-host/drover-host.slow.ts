import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { asHost } from '../../../lab/as-host.ts'
import type { LabHost } from '../../../lab/lab-host.ts'
import { openLab } from '../../../lab/lab.ts'
import type { Lab } from '../../../lab/lab.ts'
import { whatIsMissing } from '../../../lab/needs.ts'
import { DEPLOY_USER, makeReady } from '../../../lab/ready-host.ts'
import type { Host, Outcome } from '../host.ts'
import { HELPER_PATH, HELPER_SHA256, HELPER_VERSION, asRoot } from './drover-host.ts'
import {
  FINE_FOR_ROUTER,
  ROOT,
  ROUTER,
  ROUTER_TEXT,
  SLOT_TEXT,
  TEMPTING,
  UNIT,
  instead,
  inUnitSection,
} from './trial-units.ts'
import { unitStream } from './units.ts'

const missing = await whatIsMissing()
const skip = missing.length > 0 ? `the lab cannot run: ${missing.join('; ')}` : false

const NOT_NAMES = ['', '-rf', '..', 'a/b', 'a b', 'a\nb', 'a\n', 'A', 'a;id', '$(id)', '*', 'a@b', 'x'.repeat(200)]

describe('the helper, called by the deploy user', { skip }, () => {
  let lab: Lab
  let machine: LabHost
  let host: Host

  before(async () => {
    lab = await openLab({ hosts: 1 })
    ;[machine] = lab.hosts as [LabHost]
    await makeReady(machine)
    host = await asHost(machine, DEPLOY_USER)
    await host.run({ program: 'mkdir', argv: ['-p', ROOT] })
  })
  after(async () => {
    await host?.close()
    await lab?.close()
  })
  beforeEach(() => helper(['remove', 'shop', 'prod']))

  test('tells its version', async () => {
    const outcome = await helper(['version'])

    assert.equal(outcome.stdout, `drover-host ${HELPER_VERSION} ${HELPER_SHA256}\n`, outcome.stderr)
  })

  test('lays units, enables them, and does nothing the second time', async () => {
    const first = await lay(UNIT, SLOT_TEXT)
    const laid = await state()
    const second = await lay(UNIT, SLOT_TEXT)

    assert.deepEqual([first.exitCode, second.exitCode], [0, 0], first.stderr + second.stderr)
    assert.match(laid, /shop-prod\.target\.wants\/shop-prod-web@b\.service/)
    assert.match(laid, /multi-user\.target\.wants\/shop-prod\.target/)
    assert.equal(await state(), laid)
    assert.equal(await machine.inside(['cat', `/etc/systemd/system/${UNIT}`]), SLOT_TEXT)
  })

  test('lays again what somebody has touched, and what is to boot', async () => {
    await lay(UNIT, SLOT_TEXT)
    const laid = await state()
    await machine.inside(['sh', '-c', `echo '# x' >>/etc/systemd/system/${UNIT} && systemctl daemon-reload`])
    await lay(UNIT, SLOT_TEXT)
    await machine.inside(['sh', '-c', `cd /etc/systemd/system && cat ${UNIT} >x && mv x ${UNIT}`])
    const touched = await unread()
    await lay(UNIT, SLOT_TEXT)
    const reread = await unread()
    await machine.inside(['sh', '-c', 'cd /etc/systemd/system && rm -r shop-prod.target* */shop-prod.target'])

    const enabled = await helper(['enable', 'shop', 'prod'])

    assert.deepEqual([enabled.exitCode, touched, reread], [0, 'yes', 'no'], enabled.stderr)
    assert.deepEqual(namesIn(await state()), namesIn(laid))
    assert.equal(await machine.inside(['cat', `/etc/systemd/system/${UNIT}`]), SLOT_TEXT)
  })

  test('tells digests of the environments of its own slots', async () => {
    await lay(UNIT, SLOT_TEXT)
    await start('web@a 6\nA="b"\n', ['web@a'])

    const own = await helper(['environments', 'shop', 'prod', 'web@a', 'web@b', 'other@a'])
    const others = await helper(['environments', 'shop', 'test', 'web@a'])

    const digest = createHash('sha256').update('A="b"\n').digest('hex')
    assert.deepEqual([own.exitCode, own.stdout], [0, `${digest}  shop-prod-web@a.env\n`], own.stderr)
    assert.deepEqual([others.exitCode, others.stdout], [0, ''])
  })

  test('lays the router as the user who called', async () => {
    const outcome = await lay(ROUTER, ROUTER_TEXT)

    assert.equal(outcome.exitCode, 0, outcome.stderr)
  })

  test('a line that is not known is refused, and so is a known one with another value', async () => {
    const before = await state()
    const forRouter = TEMPTING.filter((line) => !FINE_FOR_ROUTER.includes(line))
    const attempts: (readonly [string, string])[] = [
      ...TEMPTING.flatMap((line) => [
        [UNIT, `${SLOT_TEXT}${line}\n`] as const,
        [UNIT, instead(SLOT_TEXT, line)] as const,
      ]),
      ...forRouter.map((line) => [ROUTER, instead(ROUTER_TEXT, line)] as const),
    ]

    const outcomes: (readonly [string, Outcome])[] = []
    for (const [name, text] of attempts) outcomes.push([text, await lay(name, text)])

    const accepted = outcomes.filter(([, outcome]) => !outcome.stderr.startsWith('drover-host refused text: '))
    assert.deepEqual(accepted, [])
    assert.equal(await state(), before)
  })

  const lacking: readonly [what: string, name: string, text: string][] = [
    ['no user', UNIT, SLOT_TEXT.replace('User=drover-services\n', '')],
    ['a user in another section', UNIT, inUnitSection(SLOT_TEXT, 'User=drover-services')],
    ['a user of the router in another section', ROUTER, inUnitSection(ROUTER_TEXT, `User=${DEPLOY_USER}`)],
    ['no header', UNIT, SLOT_TEXT.replace(/^.*\n/, '')],
    ['the header of another environment', UNIT, SLOT_TEXT.replace('shop/prod.', 'shop/test.')],
    ['a header after a byte order mark', UNIT, `\uFEFF${SLOT_TEXT}`],
    ['nothing', UNIT, ''],
    ['a slot as the deploy user', UNIT, SLOT_TEXT.replace('User=drover-services', `User=${DEPLOY_USER}`)],
  ]
  for (const [what, name, text] of lacking) {
    test(`a unit with ${what} is refused`, async () => {
      const before = await state()

      const outcome = await lay(name, text)

      assert.equal(outcome.exitCode, 3, outcome.stdout)
      assert.match(outcome.stderr, /^drover-host refused text: /)
      assert.equal(await state(), before)
    })
  }

  test('one bad unit keeps the good ones from being laid', async () => {
    const before = await state()

    const outcome = await units(['shop', 'prod', ROOT], `${unitStream(new Map([[UNIT, SLOT_TEXT]]))}=== ${ROUTER}\nx\n`)

    assert.equal(outcome.exitCode, 3)
    assert.equal(await state(), before)
  })

  test('a unit of another name is refused', async () => {
    const before = await state()
    const names = [
      'ssh.service',
      'web@.service',
      'shop-test-web@.service',
      'shop-prod-web.service',
      'shop-prod-web@a.service',
      'shop-prod-web@.timer',
      'shop-prod.target',
      'shop-prod-../../x@.service',
      '../shop-prod-web@.service',
      'shop-prod-web@.service x@.service',
      '-f',
      '*',
    ]

    const outcomes: string[] = []
    for (const name of names) outcomes.push((await lay(name, SLOT_TEXT)).stderr)

    for (const stderr of outcomes) assert.match(stderr, /^drover-host refused (name|text): /)
    assert.equal(await state(), before)
  })

  test('what is no name is refused', async () => {
    const before = await state()
    const calls = [
      ...NOT_NAMES.flatMap((name) => [
        ['units', name, 'prod', ROOT],
        ['units', 'shop', name, ROOT],
        ['remove', name, 'prod'],
        ['stop', 'shop', name, 'web@a'],
        ['stop', 'shop', 'prod', `${name}@a`],
        ['start', 'shop', 'prod', name],
        ['router', name, 'prod', 'stop'],
        ['enable', name, 'prod'],
        ['environments', 'shop', 'prod', `${name}@a`],
      ]),
      ['stop', 'shop', 'prod', 'web@c'],
      ['stop', 'shop', 'prod', 'web'],
      ['kill', 'shop', 'prod', 'STOP', 'web@a'],
      ['router', 'shop', 'prod', 'enable'],
      ['daemon-reload', 'shop', 'prod'],
      ['listeners', '80; id'],
      ['units'],
      [],
    ]

    const codes: (readonly [string, number | undefined])[] = []
    for (const call of calls) codes.push([call.join(' '), (await units(call.slice(1), '', call[0])).exitCode])

    assert.deepEqual(
      codes.filter(([, code]) => code !== 2 && code !== 3),
      [],
    )
    assert.equal(await state(), before)
  })

  const roots = ['/etc', '/', '', '.', '/srv/drover/', '/srv/drover/../../etc', '/srv/drover/a b', '/srv/drover/x\ny']
  for (const root of [
    ...roots,
    '/srv/drover//x',
    '/srv/drover/x%i',
    '/srv/drover/.',
    '/srv/drovers/x',
    'srv/drover/x',
  ]) {
    test(`${JSON.stringify(root)} is no root`, async () => {
      const before = await state()

      const outcome = await units(
        ['shop', 'prod', root],
        unitStream(new Map([[UNIT, SLOT_TEXT.replaceAll(ROOT, root)]])),
      )

      assert.match(outcome.stderr, /^drover-host refused root: /)
      assert.equal(await state(), before)
    })
  }

  const foreign: readonly [what: string, make: string][] = [
    ["an administrator's unit", `printf '[Service]\\nExecStart=/bin/true\\n' >/etc/systemd/system/${UNIT}`],
    ['a masked unit', `ln -s /dev/null /etc/systemd/system/${UNIT}`],
    ['a unit of the system', `printf '# Written by Drover for shop/prod.\\n' >/lib/systemd/system/${UNIT}`],
    [
      'a unit of another environment whose name is the same',
      `printf '# Written by Drover for shop-prod/web.\\n' >/etc/systemd/system/${UNIT}`,
    ],
    ['a folder', `mkdir /etc/systemd/system/${UNIT}`],
  ]
  for (const [what, make] of foreign) {
    test(`${what} stays as it is`, async (t) => {
      const paths = [`/etc/systemd/system/${UNIT}`, `/lib/systemd/system/${UNIT}`]
      t.after(() => machine.inside(['rm', '-rf', ...paths]))
      await machine.inside(['sh', '-c', make])
      const before = await state()

      const outcomes = [
        await lay(UNIT, SLOT_TEXT),
        await helper(['remove', 'shop', 'prod']),
        await start('', ['web@a']),
      ]

      assert.match(outcomes[0]?.stderr ?? '', /^drover-host refused foreign: .*shop-prod-web@\.service was not made by/)
      assert.equal(outcomes[2]?.exitCode, 3)
      assert.equal(await state(), before)
    })
  }

  test('an environment is taken whole, for the slots that are started, or not at all', async () => {
    await lay(UNIT, SLOT_TEXT)
    const attempts = [
      ['', ['web@a']],
      ['web@a 10\nA="b"\n', ['web@a']],
      ['web@b 6\nA="b"\n', ['web@a']],
      ['web@a 6\nA="b"\n', ['web@a', 'web@b']],
      ['../web@a 6\nA="b"\n', ['../web@a']],
      ['web@a x\nA="b"\n', ['web@a']],
      ['other@a 6\nA="b"\n', ['other@a']],
    ] as const

    const codes: (number | undefined)[] = []
    for (const [stdin, slots] of attempts) codes.push((await start(stdin, slots)).exitCode)

    assert.deepEqual(new Set(codes), new Set([3]))
    assert.equal((await machine.inside(['ls', '-A', '/etc/drover/environments'])).trim(), '')
  })

  test('root reads nothing for the caller that the caller may not read', async () => {
    await host.run({ program: 'ln', argv: ['-sf', '/etc/shadow', `${ROOT}/staged`] })

    const script = 'exec sudo -n "$1" units shop prod "$2" <"$2/staged"'
    const outcome = await host.run({ program: 'sh', argv: ['-c', script, 'sh', HELPER_PATH, ROOT] })
    const kept = await host.run({ program: 'ls', argv: ['/etc/drover/environments'] })

    assert.match(outcome.stderr, /Permission denied/)
    assert.match(kept.stderr, /Permission denied/)
  })

  test('sudo runs the helper and nothing else, and hands on no variables', async () => {
    const evil = { SUDO_USER: 'root', PATH: ROOT, LD_PRELOAD: `${ROOT}/evil.so`, ENV: `${ROOT}/evil.sh`, IFS: '/' }
    const asked = [
      ['-n', 'sh', '-c', 'id'],
      ['-n', `${HELPER_PATH}/../../bin/env`],
      ['-n', 'LD_PRELOAD=/tmp/x.so', HELPER_PATH, 'version'],
      ['-n', '-E', HELPER_PATH, 'version'],
      ['-n', '-u', 'admin', HELPER_PATH, 'version'],
    ]

    const codes: (number | undefined)[] = []
    for (const argv of asked) codes.push((await host.run({ program: '/usr/bin/sudo', argv })).exitCode)
    const stream = unitStream(new Map([[ROUTER, ROUTER_TEXT.replace(`User=${DEPLOY_USER}`, 'User=root')]]))
    const argv = ['-n', HELPER_PATH, 'units', 'shop', 'prod', ROOT]
    const router = await host.run({ program: '/usr/bin/sudo', argv, stdin: stream, env: evil })

    assert.deepEqual(codes, [1, 1, 1, 1, 1])
    assert.match(router.stderr, /^drover-host refused text: /)
  })

  test('a program that runs as a slot can do nothing of what root can', async () => {
    const probe = `{
id -un
cat /etc/shadow /etc/drover/environments/* ${ROOT}/secret /home/*/.ssh/* 2>/dev/null
for path in /etc/x /srv/drover/x ${ROOT}/x ${ROOT}/slots/web/a/x /usr/x; do touch "$path" 2>/dev/null && echo "wrote $path"; done
sudo -n true 2>/dev/null && echo sudo
touch "$HOME/mine" /tmp/mine && echo "A is $A"
exec sleep 600
}
`
    const hardened = SLOT_TEXT.replace(
      'NoNewPrivileges=yes\n',
      `NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
StateDirectory=drover/shop-prod-web
Environment=HOME=/var/lib/drover/shop-prod-web
`,
    )
    const slot = `${ROOT}/slots/web/a`
    const make = 'mkdir -p "$1" && : >"$1/wanted" && printf %s "$2" >"$1/run" && printf s >"$3" && chmod 600 "$3"'
    await host.run({ program: 'sh', argv: ['-c', make, 'sh', slot, probe, `${ROOT}/secret`] })
    await lay(UNIT, hardened)

    const outcome = await start('web@a 6\nA="b"\n', ['web@a'])

    assert.equal(outcome.exitCode, 0, outcome.stderr)
    const lines = await untilPrinted('A is')
    assert.equal(lines, 'drover-services\nA is b\n')
  })

  test('slots are started anew, killed and forgotten, but for what is not a slot', async () => {
    const slot = `${ROOT}/slots/web/a`
    const make = 'mkdir -p "$1" && : >"$1/wanted" && echo "exec sleep 600" >"$1/run"'
    await host.run({ program: 'sh', argv: ['-c', make, 'sh', slot] })
    await lay(UNIT, SLOT_TEXT)
    await start('web@a 6\nA="b"\n', ['web@a'])
    const pid = () => machine.inside(['systemctl', 'show', '--property=MainPID', 'shop-prod-web@a.service'])
    const pids = [await pid()]

    const outcomes = [await helper(['restart', 'shop', 'prod', 'web@a'])]
    pids.push(await pid())
    outcomes.push(await helper(['kill', 'shop', 'prod', 'KILL', 'web@a']))
    outcomes.push(await helper(['stop', 'shop', 'prod', 'web@a', 'web@b', 'ghost@a']))
    pids.push(await pid())
    outcomes.push(await helper(['restart', 'shop', 'prod', 'ghost@a']))

    assert.deepEqual(
      outcomes.map(({ exitCode }) => exitCode),
      [0, 0, 0, 3],
      outcomes.map(({ stderr }) => stderr).join(''),
    )
    assert.equal(new Set(pids).size, 3)
    assert.equal(pids[2], 'MainPID=0\n')
    assert.equal((await machine.inside(['ls', '-A', '/etc/drover/environments'])).trim(), '')
  })

  test('who listens is told, with the unit', async () => {
    const outcome = await helper(['listeners', '22', '9'])

    assert.match(outcome.stdout, /^22 \d+ sshd ssh\.service\n/)
    assert.doesNotMatch(outcome.stdout, /^9 /m)
  })

  async function untilPrinted(word: string): Promise<string> {
    const argv = ['-q', '-o', 'cat', '_SYSTEMD_UNIT=shop-prod-web@a.service']
    let said = ''
    for (let polls = 0; polls < 100 && !said.includes(word); polls += 1) {
      said = (await host.run({ program: 'journalctl', argv })).stdout
    }
    return said
  }

  function helper(argv: readonly string[], stdin = ''): Promise<Outcome> {
    return host.run({ ...asRoot(argv), stdin })
  }

  function units(argv: readonly string[], stdin: string, verb: string | undefined = 'units'): Promise<Outcome> {
    return helper(verb === undefined ? [] : [verb, ...argv], stdin)
  }

  function lay(name: string, text: string): Promise<Outcome> {
    return units(['shop', 'prod', ROOT], unitStream(new Map([[name, text]])))
  }

  function start(stdin: string, slots: readonly string[]): Promise<Outcome> {
    return helper(['start', 'shop', 'prod', ...slots], stdin)
  }

  async function unread(): Promise<string> {
    const show = ['systemctl', 'show', '--property=NeedDaemonReload', '--value', UNIT.replace('@', '@a')]
    return (await machine.inside(show)).trim()
  }

  /** Every file that systemd would read, and whether it has read it. */
  function state(): Promise<string> {
    const list = `find /etc/systemd /lib/systemd/system /run/systemd/system -exec ls -ld --time-style=full-iso {} + | sort
ls /run/drover-host* 2>/dev/null | grep -v lock$`
    return machine.inside(['sh', '-c', `${list}; true`])
  }
})

function namesIn(listing: string): string[] {
  return listing.split('\n').map((line) => line.replace(/^.* (?=\/)/, ''))
}
