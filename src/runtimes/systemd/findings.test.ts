import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HELPER_SHA256, HELPER_VERSION } from '../../hosts/drover-host/drover-host.ts'
import { findingsOf } from './findings.ts'
import { readInspected } from './inspect.ts'
import { renderUnit } from './unit.ts'

const PLACE = { fleet: 'shop', environment: 'prod', root: '/srv/drover/shop/prod' }
const SLOT = `${PLACE.root}/slots/web/a`
const TEMPLATE = '/etc/systemd/system/shop-prod-web@.service'
const UNIT = renderUnit({ ...PLACE, systemd: 252 }, { service: 'web', drainMs: 5000, restart: true })
const [RUN, ENV, WHOLE, OTHER] = ['1', '2', '3', '4'].map((digit) => digit.repeat(64)) as [
  string,
  string,
  string,
  string,
]
const SPEC = `{"key":"k1","artifact":"art","config":"conf","release":7,"drainMs":5000,"files":{"run":"${RUN}","env":"${ENV}"}}`

/** What a host says on which all is as it was laid, in the words of the scripts. */
const AS_LAID = [
  'slot web a shop-prod-web@a.service 1',
  SPEC,
  'slot web b shop-prod-web@b.service 0',
  '',
  'ActiveState=active',
  'SubState=running',
  'MainPID=42',
  'Id=shop-prod-web@a.service',
  `FragmentPath=${TEMPLATE}`,
  'DropInPaths=/usr/lib/systemd/system/service.d/10-timeout.conf',
  'NeedDaemonReload=no',
  '',
  'surveyed',
  `handed ${WHOLE} web@a`,
  `root ${WHOLE}  shop-prod-web@a.env`,
  `helper ${HELPER_SHA256} VERSION=${HELPER_VERSION}`,
  `unit ${TEMPLATE}`,
  'unit /etc/systemd/system/shop-prod-router.service',
  'unit /etc/systemd/system/shop-prod.target',
  ...UNIT.trimEnd()
    .split('\n')
    .map((line) => `${TEMPLATE}:${line}`),
  '/etc/systemd/system/shop-prod-router.service:# Written by Drover for shop/prod.',
  '/etc/systemd/system/shop-prod.target:# Written by Drover for shop/prod.',
  `sum ${RUN}  ${SLOT}/run`,
  `sum ${ENV}  ${SLOT}/env`,
  `sum ${OTHER}  ${PLACE.root}/env/web/conf.env`,
  'inspected',
  '',
].join('\n')

function foundIn(text: string): string[] {
  return findingsOf(PLACE, readInspected(text)).map(({ kind, service = '-', slot = '-', what, path = '-', mend }) =>
    [kind, service, slot, what, path, mend].join(' | '),
  )
}

test('nothing is found where all is as it was laid', () => {
  assert.deepEqual(foundIn(AS_LAID), [])
  assert.equal(readInspected(AS_LAID).sums.get(`${PLACE.root}/env/web/conf.env`), OTHER)
})

const cases: readonly [what: string, edit: (text: string) => string, found: readonly string[]][] = [
  [
    'a unit that was edited',
    (text) => text.replace(':UMask=0027', ':UMask=0000'),
    [`unit-edited | web | - | its unit was edited | ${TEMPLATE} | release`],
  ],
  [
    'a unit that is gone',
    (text) => text.replaceAll(new RegExp(`^(unit )?${TEMPLATE}.*\n`, 'gm'), '').replace(`FragmentPath=${TEMPLATE}`, ''),
    [`unit-missing | web | - | its unit is gone | ${TEMPLATE} | release`],
  ],
  [
    'a unit that is masked',
    (text) => text.replaceAll(new RegExp(`^${TEMPLATE}.*\n`, 'gm'), ''),
    [`unit-foreign | - | - | a unit that Drover did not make bears a name of shop/prod | ${TEMPLATE} | hand`],
  ],
  [
    'a unit that systemd has not read',
    (text) => text.replace('Reload=no', 'Reload=yes'),
    [`unit-unread | web | - | systemd has not read its unit as it lies there | ${TEMPLATE} | release`],
  ],
  [
    'an edited unit that systemd has not read, once',
    (text) => text.replace('Reload=no', 'Reload=yes').replace(':UMask=0027', ':UMask=0000'),
    [`unit-edited | web | - | its unit was edited | ${TEMPLATE} | release`],
  ],
  [
    'a drop-in',
    (text) => text.replace('DropInPaths=', 'DropInPaths=/etc/systemd/system/shop-prod-web@.service.d/x.conf '),
    ['unit-override | web | - | its unit is overridden | /etc/systemd/system/shop-prod-web@.service.d/x.conf | hand'],
  ],
  [
    'a unit of the instance, once',
    (text) => {
      const own = TEMPLATE.replace('@', '@a')
      return text.replace(`Path=${TEMPLATE}`, `Path=${own}`).replace('unit /', `unit ${own}\n${own}:[Service]\nunit /`)
    },
    [`unit-override | web | - | its unit is overridden | ${TEMPLATE.replace('@', '@a')} | hand`],
  ],
  [
    'a unit of somebody else, and none of another environment of Drover',
    (text) =>
      text.replace(
        'unit /',
        [
          'unit /run/systemd/system/shop-prod-backup.timer',
          '/run/systemd/system/shop-prod-backup.timer:[Timer]',
          'unit /etc/systemd/system/shop-prod-two-web@.service',
          '/etc/systemd/system/shop-prod-two-web@.service:# Written by Drover for shop/prod-two.',
          'unit /',
        ].join('\n'),
      ),
    [
      'unit-foreign | - | - | a unit that Drover did not make bears a name of shop/prod | /run/systemd/system/shop-prod-backup.timer | hand',
    ],
  ],
  [
    'a launcher that was edited',
    (text) => text.replace(`sum ${RUN}`, `sum ${OTHER}`),
    [`slot-edited | web | a | its launcher was edited | ${SLOT}/run | release`],
  ],
  [
    'variables that are gone',
    (text) => text.replace(`sum ${ENV}  ${SLOT}/env\n`, ''),
    [`slot-edited | web | a | what its slot adds to its environment is gone | ${SLOT}/env | release`],
  ],
  [
    'an environment of root that was edited',
    (text) => text.replace(`root ${WHOLE}`, `root ${OTHER}`),
    [
      'environment | web | a | the environment that systemd starts it with is not the one that was laid | /etc/drover/environments/shop-prod-web@a.env | release',
    ],
  ],
  [
    'an environment of root that is gone',
    (text) => text.replace(/^root .*\n/m, ''),
    [
      'environment | web | a | the environment that systemd starts it with is gone | /etc/drover/environments/shop-prod-web@a.env | release',
    ],
  ],
  [
    'a slot that is not meant to run, and does',
    (text) => text.replace('web@a.service 1', 'web@a.service 0').replace(/^handed .*\nroot .*\n/m, ''),
    ['boot | web | a | it would not come back after a reboot | - | release'],
  ],
  [
    'what does not boot',
    (text) =>
      text.replace(
        'helper ',
        ['shop-prod.target', 'shop-prod-web@a.service', 'shop-prod-router.service']
          .map((unit) => `unbooted ${unit}\n`)
          .join('') + 'helper ',
      ),
    [
      'boot | - | - | nothing of it would come back after a reboot | /etc/systemd/system/multi-user.target.wants/shop-prod.target | release',
      'boot | web | a | it would not come back after a reboot | /etc/systemd/system/shop-prod.target.wants/shop-prod-web@a.service | release',
      'boot | - | - | the router would not come back after a reboot | /etc/systemd/system/shop-prod.target.wants/shop-prod-router.service | release',
    ],
  ],
  [
    'a helper that was edited',
    (text) => text.replace(HELPER_SHA256, OTHER),
    ['helper | - | - | the helper was edited | /usr/local/sbin/drover-host | bootstrap'],
  ],
  [
    'an older helper, which does not know what it is asked, once',
    (text) =>
      text
        .replace(HELPER_SHA256, OTHER)
        .replace(/VERSION=\d+/, 'VERSION=1')
        .replace(/^root .*$/m, 'root drover-host: cannot environments'),
    [
      `helper | - | - | the helper is of version 1, and this Drover has ${HELPER_VERSION} | /usr/local/sbin/drover-host | bootstrap`,
    ],
  ],
  [
    'no newer helper',
    (text) => text.replace(HELPER_SHA256, OTHER).replace(/VERSION=\d+/, `VERSION=${HELPER_VERSION + 1}`),
    [],
  ],
  [
    'a helper that is gone',
    (text) =>
      text
        .replace(/^helper .*$/m, 'helper  ')
        .replace(/^root .*$/m, 'root sudo: /usr/local/sbin/drover-host: command not found'),
    ['helper | - | - | the helper is gone | /usr/local/sbin/drover-host | bootstrap'],
  ],
  [
    'a sudo that asks for a password',
    (text) => text.replace(/^root .*$/m, 'root sudo: a password is required'),
    ['sudo | - | - | sudo asks for a password for drover-host | - | bootstrap'],
  ],
]
for (const [what, edit, found] of cases) {
  test(`it finds ${what}`, () => {
    const text = edit(AS_LAID)

    assert.notEqual(text, AS_LAID)
    assert.deepEqual(foundIn(text), found)
  })
}
