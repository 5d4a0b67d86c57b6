import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DriftFinding } from '../../src/release/environment-drift.ts'
import { openScene } from './scene.ts'

const HEAL = '`drover hosts heal staging local` puts it right, and so does the next deploy.'
const DRIFT: readonly DriftFinding[] = [
  { kind: 'router-down', what: 'the router does not run', mend: 'release', hint: HEAL },
  { kind: 'unit-edited', service: 'backend', what: 'its unit was edited', path: '/etc/x', mend: 'release', hint: HEAL },
  { kind: 'unit-foreign', what: 'a unit of somebody', path: '/etc/y', mend: 'hand', hint: 'Rename it.' },
]

describe('drover hosts drift', () => {
  it('lists what has drifted, with each hint once, and ends with 7', async (t) => {
    const { drover } = await openScene(t, { drift: DRIFT })
    await drover('deploy', 'staging')

    const { code, stdout } = await drover('hosts', 'drift', 'staging')

    assert.equal(code, 7)
    assert.equal(
      stdout,
      `pakashop/staging  #1 is live
local  3 findings
  ! the router does not run
  ! backend: its unit was edited (/etc/x)
    HINT: ${HEAL}
  ! a unit of somebody (/etc/y)
    HINT: Rename it.
✗ 3 findings on 1 of 1 host
`,
    )
  })

  it('ends with 0 where all is as it was declared, and where nothing was', async (t) => {
    const { drover } = await openScene(t)
    await drover('deploy', 'staging')

    const live = await drover('hosts', 'drift', 'staging', '--deep')
    const nothing = await drover('hosts', 'drift', 'production')

    assert.deepEqual([live.code, nothing.code], [0, 0])
    assert.equal(
      live.stdout,
      'pakashop/staging  #1 is live\nlocal  as declared\n✓ nothing has drifted, and every file was read\n',
    )
    assert.equal(nothing.stdout, 'pakashop/production  nothing is live, so nothing is declared\n')
  })

  it('tells all environments as one document', async (t) => {
    const { drover } = await openScene(t, { drift: DRIFT })
    await drover('deploy', 'staging')

    const { code, stdout } = await drover('hosts', 'drift', '--json')

    assert.equal(code, 7)
    assert.deepEqual(JSON.parse(stdout), {
      environments: [
        {
          fleet: 'pakashop',
          environment: 'staging',
          release: 1,
          deep: false,
          hosts: [{ host: 'local', reachable: true, findings: DRIFT }],
        },
        { fleet: 'pakashop', environment: 'production', deep: false, hosts: [] },
      ],
      asDeclared: false,
    })
  })

  it('says which environments there are', async (t) => {
    const { drover } = await openScene(t)

    const { code, stderr } = await drover('hosts', 'drift', 'stagin')

    assert.equal(code, 2)
    assert.match(stderr, /Did you mean staging\?/)
  })
})
