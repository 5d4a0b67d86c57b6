import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { LOCAL_HOST } from '../manifest/fleet.ts'
import { tellingCuts } from './cut-off.ts'
import { guardedHost } from './guarded-host.ts'
import { localHost } from './local/local-host.ts'
import { runLocally } from './local/run.ts'
import { hostPool } from './pool.ts'
import { printingHost } from './printing/printing-host.ts'

const folder = await mkdtemp(join(tmpdir(), 'drover-pool-'))
after(() => rm(folder, { recursive: true }))
const configFile = join(folder, 'ssh_config')
await writeFile(
  configFile,
  'Host web\n  HostName 192.0.2.7\nHost here\n  HostName 127.0.0.1\nHost nowhere\n  HostName no.invalid\n',
)
const local = localHost()
const pool = hostPool({ local, run: runLocally, folder, ssh: { configFile } })

describe('the hosts of all fleets', () => {
  it('are one host for one definition, whatever its labels, and local is this machine', () => {
    const web = { name: 'web', ssh: { destination: 'web' }, labels: [] }

    assert.equal(pool.of(LOCAL_HOST), local)
    assert.equal(pool.of(web), pool.of({ ...web, labels: ['front'] }))
    assert.equal(pool.of(web).name, 'web')
    assert.notEqual(pool.of(web), pool.of({ ...web, ssh: { destination: 'web', port: 2222 } }))
    assert.notEqual(pool.of(web), pool.of({ ...web, name: 'other' }))
  })

  it('are reached by others where the manifest says, else where ssh connects to', async () => {
    const web = { name: 'w', ssh: { destination: 'deploy@web' }, labels: [] }

    assert.equal(await pool.address(web), '192.0.2.7')
    assert.equal(await pool.address({ ...web, address: '192.0.2.8' }), '192.0.2.8')
    assert.equal(await pool.address({ ...web, ssh: { destination: 'deploy@192.0.2.9' } }), '192.0.2.9')
    assert.equal(await pool.address(LOCAL_HOST), '127.0.0.1')
  })

  it('have no address that only they themselves could use, and none that has to be guessed', async () => {
    const at = (destination: string) => ({ name: 'w', ssh: { destination }, labels: [] })

    await assert.rejects(
      pool.address(at('here')),
      /host w: 127\.0\.0\.1 is a loopback address.*\n {2}HINT: Give the host an `address`/,
    )
    await assert.rejects(pool.address(at('nowhere')), /host w: the name no\.invalid has no address/)
  })
})

describe('a host that tells when it was cut off', () => {
  it('refuses a command whose end nobody knows, and no other', async () => {
    const cut = printingHost({
      name: 'web-1',
      answer: ({ program }) =>
        program === 'tail'
          ? { ok: false, failure: 'transport', stdout: 'half a li', stderr: 'x\nthe connection was lost\n' }
          : { ok: false, failure: 'exit', exitCode: 1 },
    })
    const host = tellingCuts(cut)

    const failed = await host.run({ program: 'false', argv: [] })

    assert.equal(failed.failure, 'exit')
    await assert.rejects(
      host.run({ program: 'tail', argv: ['-f', 'log'] }),
      /host web-1, tail: the connection was lost on the way: the connection was lost\n.*may be repeated/,
    )
  })
})

describe('a guarded host', () => {
  it('is used once it is permitted, which is asked once, and again after a refusal', async () => {
    const answers = [new Error('not yours'), undefined, undefined]
    let asked = 0
    const guarded = guardedHost(local, async () => {
      const answer = answers[asked++]
      if (answer !== undefined) throw answer
    })
    const command = { program: 'true', argv: [] }

    await assert.rejects(guarded.run(command), /not yours/)
    const outcomes = await Promise.all([guarded.run(command), guarded.run(command)])

    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      [true, true],
    )
    assert.equal(asked, 2)
  })
})
