import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSurvey, report, runs } from './survey.ts'

const SPEC = '{"key":"k1","artifact":"art","config":"conf","release":7,"port":4080,"drainMs":5000}'
const RUNNING = ['ActiveState=active', 'SubState=running', 'MainPID=42', 'NRestarts=0']

function surveyOf(slot: { wanted?: '0' | '1'; json?: string; unit?: readonly string[] }) {
  const { wanted = '1', json = SPEC, unit = RUNNING } = slot
  const name = 'shop-prod-web@a.service'
  return readSurvey(`slot web a ${name} ${wanted}\n${json}\nport 80\n${unit.join('\n')}\nId=${name}\n`).slots[0]!
}

test('a slot that runs is told with all that is known', () => {
  const slot = surveyOf({
    unit: [
      ...RUNNING.slice(0, 3),
      'NRestarts=2',
      'ExecMainStartTimestamp=Sun 2026-11-22 09:32:46.123456 UTC',
      'MemoryCurrent=2048',
      'CPUUsageNSec=1500000000',
    ],
  })

  assert.deepEqual(report(slot), {
    service: 'web',
    slot: 'a',
    state: 'running',
    pid: 42,
    artifact: 'art',
    config: 'conf',
    release: 7,
    port: 4080,
    restarts: 2,
    startedAt: Date.UTC(2026, 10, 22, 9, 32, 46, 123),
    memoryBytes: 2048,
    cpuMs: 1500,
  })
})

test('what a unit runs that was not laid is unknown', () => {
  const command = (path: string) => `ExecStart={ path=/bin/sh ; argv[]=/bin/sh ${path} ; ignore_errors=no ; pid=42 }`
  const laid = surveyOf({ unit: [...RUNNING, command('/srv/shop/slots/web/a/run')] })
  const other = surveyOf({ unit: [...RUNNING, command('/srv/shop/slots/web/b/run')] })

  assert.deepEqual([report(laid)?.artifact, report(laid)?.config], ['art', 'conf'])
  assert.deepEqual([report(other)?.artifact, report(other)?.config], [undefined, undefined])
  assert.equal(report(other)?.state, 'running')
})

test('what systemd does not know is left out', () => {
  const slot = surveyOf({
    unit: [...RUNNING, 'ExecMainStartTimestamp=', 'MemoryCurrent=[not set]', 'CPUUsageNSec=18446744073709551615'],
  })

  assert.deepEqual(Object.keys(report(slot) ?? {}).toSorted(), [
    'artifact',
    'config',
    'pid',
    'port',
    'release',
    'restarts',
    'service',
    'slot',
    'state',
  ])
})

const states: readonly [what: string, wanted: '0' | '1', active: string, sub: string, state: string][] = [
  ['that waits for its next start after a crash', '1', 'activating', 'auto-restart', 'crashed'],
  ['that was given up', '1', 'failed', 'failed', 'crashed'],
  ['that ended well by itself', '1', 'inactive', 'dead', 'crashed'],
  ['that is being started', '1', 'activating', 'start', 'running'],
  ['that still ends', '0', 'deactivating', 'stop-sigterm', 'running'],
  ['that was stopped', '0', 'inactive', 'dead', 'stopped'],
  ['that was stopped and failed to end well', '0', 'failed', 'failed', 'stopped'],
]
for (const [what, wanted, active, sub, state] of states) {
  test(`a slot ${what} is ${state}`, () => {
    const slot = surveyOf({ wanted, unit: [`ActiveState=${active}`, `SubState=${sub}`, 'MainPID=0', 'NRestarts=1'] })

    assert.equal(report(slot)?.state, state)
  })
}

for (const json of ['', '{', SPEC.slice(0, -10), '[]', 'port 8080', '\u0000\u0000']) {
  test(`a slot whose spec is ${JSON.stringify(json)} was never laid, but what runs there is told`, () => {
    const dead = surveyOf({ json, unit: ['ActiveState=inactive', 'SubState=dead', 'MainPID=0', 'NRestarts=0'] })
    const alive = surveyOf({ json })

    assert.equal(report(dead), undefined)
    assert.deepEqual(report(alive), { service: 'web', slot: 'a', state: 'running', pid: 42, restarts: 0 })
    assert.equal(runs(alive, 'k1'), false)
  })
}

test('a slot runs a spec when it is that one, wanted, and not on its way out', () => {
  const ending = surveyOf({ unit: ['ActiveState=deactivating', 'SubState=stop-sigterm', 'MainPID=42', 'NRestarts=0'] })
  const cases = [surveyOf({}), surveyOf({ wanted: '0' }), ending]

  assert.deepEqual(
    cases.map((slot) => runs(slot, 'k1')),
    [true, false, false],
  )
  assert.equal(runs(surveyOf({}), 'k2'), false)
})

test('ports, templates and units that were not read are told; other words are not', () => {
  const found = readSurvey(
    [
      'reload',
      'template abc  /etc/systemd/system/shop-prod-web@.service',
      'template def */etc/systemd/system/shop-prod-api@.service',
      'port 8080',
      'Warning: something else',
    ].join('\n'),
  )

  assert.deepEqual(found.listening, [8080])
  assert.equal(found.unread, true)
  assert.deepEqual(
    [...found.templates],
    [
      ['/etc/systemd/system/shop-prod-web@.service', 'abc'],
      ['/etc/systemd/system/shop-prod-api@.service', 'def'],
    ],
  )
})
