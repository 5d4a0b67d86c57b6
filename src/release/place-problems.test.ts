import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { forEnvironment } from '../manifest/environment.ts'
import { loadManifest } from '../manifest/load.ts'
import { formatProblem } from '../problem/problem.ts'
import { placeProblems } from './place-problems.ts'
import type { Blueprint } from './records.ts'

/** As the survey makes it, with the default folders of ssh hosts. */
async function blueprint(environment: string): Promise<Blueprint> {
  const text = `
fleet: f
hosts: { web-1: a, web-2: b }
environments: { production: { branch: main, ${environment} } }
services: { backend: { port: 3080, language: go } }
`
  const { fleet, problems } = await loadManifest(text, { file: 'drover.yaml' })
  assert.deepEqual(problems, [])
  const found = forEnvironment(fleet!, 'production')
  const root = found.environment.root ?? '/srv/drover/f/production'
  return { ...found, hosts: found.hosts.map((host) => ({ ...host, root })), stores: [], shared: [] }
}

describe('the place of an environment on a host', () => {
  it('may not change under what is live: it would be started a second time', async () => {
    const live = await blueprint('hosts: [local, web-1], runtime: pm2')
    const next = await blueprint('hosts: [web-1, web-2], router: other, root: /opt/f')

    assert.deepEqual(placeProblems(next, live).map(formatProblem), [
      'host web-1: is live with runtime pm2, which this release changes to systemd\n  HINT: Write `runtime: pm2` in environments.production, or stop what runs there first with `drover teardown production`.',
      'host web-1: is live with router nginx, which this release changes to other\n  HINT: Write `router: nginx` in environments.production, or stop what runs there first with `drover teardown production`.',
      'host web-1: is live with root /srv/drover/f/production, which this release changes to /opt/f\n  HINT: Write `root: /srv/drover/f/production` in environments.production, or stop what runs there first with `drover teardown production`.',
    ])
  })

  it('is free on a host that is new, and before anything is live', async () => {
    const live = await blueprint('hosts: [local]')
    const next = await blueprint('hosts: [web-1]')

    assert.deepEqual(placeProblems(next, live), [])
    assert.deepEqual(placeProblems(next, undefined), [])
    assert.deepEqual(placeProblems(next, next), [])
  })
})
