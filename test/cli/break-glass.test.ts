import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import type { GlassOptions } from '../../src/cli/surroundings.ts'
import { cleanEnvironment, droverIn, makeRepository } from './scene.ts'
import type { Result } from './scene.ts'

const MANIFEST = `fleet: shop
hosts:
  web-1: { ssh: deploy@10.0.0.1, port: 2222 }
environments:
  production: { branch: main, hosts: [web-1] }
  staging: { branch: main, hosts: [web-1], root: /opt/shop, ports: 1000 }
services:
  backend: { port: 3080, language: command, start: run }
`

interface Broken extends Result {
  readonly asked: Pick<GlassOptions, 'host' | 'root' | 'fleet' | 'to' | 'environment'> | undefined
}

/** Breaks the glass in a folder with this manifest, or without one; nothing answers where a control plane should be. */
async function broken(t: TestContext, words: readonly string[], manifest?: string): Promise<Broken> {
  const folder = manifest === undefined ? undefined : makeRepository(manifest)
  t.after(() => folder !== undefined && rmSync(folder, { recursive: true }))
  const env = { ...cleanEnvironment(), DROVER_HOME: '/home/of/drover' }
  let asked: Broken['asked']
  const breakGlass = async (options: GlassOptions) => {
    const { host, root, fleet, to, environment } = options
    asked = { host, environment, ...(root && { root }), ...(fleet && { fleet }), ...(to && { to }) }
    options.say('backend: ready in slot a after 0.2 s')
    return { host: host.name, from: 12, to: 11, services: [{ service: 'backend', slot: 'a', started: true }] as const }
  }
  const result = await droverIn({ cwd: folder ?? tmpdir(), env, breakGlass }, ['break-glass', 'rollback', ...words])
  return { ...result, asked }
}

describe('drover break-glass rollback', () => {
  const destination = { name: 'web-1', ssh: { destination: 'deploy@10.0.0.1', port: 2222 }, labels: [] }

  it('finds host, folder and fleet in the manifest', async (t) => {
    const plain = await broken(t, ['production', '--host', 'web-1', '--to', '11'], MANIFEST)
    const rooted = await broken(t, ['staging', '--host', 'web-1'], MANIFEST)

    assert.equal(plain.code, 0, plain.stderr)
    assert.deepEqual(plain.asked, { host: destination, environment: 'production', fleet: 'shop', to: 11 })
    assert.deepEqual(rooted.asked, { host: destination, environment: 'staging', fleet: 'shop', root: '/opt/shop' })
    assert.equal(plain.stdout, 'host web-1 answers with release 11 of production\n')
    assert.match(plain.stderr, /backend: ready in slot a[^]*drover status production` shows the difference/)
  })

  it('needs no manifest, and none without errors', async (t) => {
    const nothing = await broken(t, ['production', '--host', 'deploy@10.0.0.9'])
    const told = await broken(t, ['production', '--host', 'web-9', '--fleet', 'shop', '--root', '/opt/x'])
    const faulty = await broken(t, ['production', '--host', 'web-9'], 'fleet: shop\nservices: [')

    const host = (name: string) => ({ name, ssh: { destination: name }, labels: [] })
    assert.deepEqual(nothing.asked, { host: host('deploy@10.0.0.9'), environment: 'production' })
    assert.deepEqual(told.asked, { host: host('web-9'), environment: 'production', fleet: 'shop', root: '/opt/x' })
    assert.deepEqual(faulty.asked, { host: host('web-9'), environment: 'production' })
  })

  it('finds what this machine runs in the home of its control plane', async (t) => {
    const local = await broken(t, ['production', '--host', 'local', '--fleet', 'shop'])
    const unnamed = await broken(t, ['production', '--host', 'local'])

    assert.equal(local.asked?.root, '/home/of/drover/hosts/shop/production')
    assert.equal(unnamed.code, 2)
    assert.match(unnamed.stderr, /--fleet: is missing/)
  })

  it('tells one document with --json, and wants a host', async (t) => {
    const { stdout } = await broken(t, ['production', '--host', 'web-1', '--json'], MANIFEST)
    const { code } = await broken(t, ['production'], MANIFEST)

    assert.deepEqual(JSON.parse(stdout), {
      host: 'web-1',
      from: 12,
      to: 11,
      services: [{ service: 'backend', slot: 'a', started: true }],
    })
    assert.equal(code, 2)
  })
})
