import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { answerGarbage, hideSystemd } from '../../lab/alterations.ts'
import type { LabHost } from '../../lab/lab-host.ts'
import { labSkip } from '../../lab/needs.ts'
import { ADMIN, declared, openBootstrapBench, refusalOf } from './bootstrap-bench.ts'
import type { BootstrapBench } from './bootstrap-bench.ts'

let bench: BootstrapBench
let host: LabHost

/** Another user of the host that the administrator's key lets in. */
async function addUser(name: string, options: readonly string[]): Promise<void> {
  await host.inside(['useradd', '--create-home', ...options, name])
  await host.inside(['cp', '-r', '/home/admin/.ssh', `/home/${name}/.ssh`])
  await host.inside(['chown', '-R', `${name}:`, `/home/${name}/.ssh`])
}

/** An ssh configuration that knows other keys of hosts than those of the lab. */
async function configWith(name: string, knownHosts: string): Promise<string> {
  const file = join(bench.folder, name)
  const known = join(bench.folder, `${name}.known`)
  await writeFile(known, knownHosts)
  const { identityFile } = host.ssh
  await writeFile(
    file,
    `Host *\n  HostName ${host.address}\n  IdentityFile ${identityFile}\n  UserKnownHostsFile ${known}\n`,
  )
  return file
}

/** Nobody's key. */
const STRANGE = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG+nyx1anYqgwEe4w7oS+b7FJ992MRbo7ZG+nlDyKqvO'

describe('a bootstrap is refused', { skip: await labSkip() }, () => {
  before(async () => {
    bench = await openBootstrapBench(1)
    host = bench.hosts[0]!
  })
  after(() => bench?.close())

  it('where sudo asks for a password, with what to do about it', async () => {
    await addUser('bob', ['--groups', 'sudo'])

    const plan = await bench.operations.plan({ host: declared(host), keys: [], as: 'bob' })

    const rights = plan.items.find(({ name }) => name === 'rights')
    assert.equal(rights?.sign, 'cannot')
    assert.match(rights.what, /sudo does not let bob become root without a password \(sudo: a password is required\)/)
  })

  it('where the key of the host is unknown or has changed, with the command that accepts it', async () => {
    const unknown = bench.with(await configWith('unknown', ''))
    const changed = bench.with(await configWith('changed', `${host.address} ${STRANGE}\n`))

    const first = await refusalOf(unknown.plan({ host: declared(host), ...ADMIN }))
    const second = await unknown.look(declared(host), {})
    const third = await refusalOf(changed.plan({ host: declared(host), ...ADMIN }))

    assert.equal(first.problems[0]?.code, 'hosts/ssh-key-unknown')
    assert.match(first.problems[0].hint ?? '', /`ssh -o StrictHostKeyChecking=accept-new .*admin@h1 true`/)
    assert.equal(second.problems[0]?.code, 'hosts/ssh-key-unknown')
    assert.equal(third.problems[0]?.code, 'hosts/ssh-key-changed')
    assert.match(third.problems[0].hint ?? '', /ssh-keygen -f .* -R/)
  })

  it('where whoever lets us in is no shell', async () => {
    await addUser('echo', ['--shell', '/bin/echo'])

    const report = await bench.operations.look(declared(host), { as: 'echo' })

    assert.equal(report.reachable, false)
    assert.equal(report.problems[0]?.code, 'hosts/no-shell')
  })

  it('where the kernel is another one, even if nothing else can be run', async () => {
    const shell =
      '#!/bin/sh\\ncase $2 in "uname -s") echo FreeBSD ;; *) echo "setsid: not found" >&2; exit 127 ;; esac\\n'
    await host.inside(['sh', '-c', `printf '${shell}' >/bin/other; chmod 755 /bin/other`])
    await addUser('other', ['--shell', '/bin/other'])

    const refused = await refusalOf(bench.operations.plan({ host: declared(host), keys: [], as: 'other' }))

    assert.equal(refused.problems[0]?.what, 'its kernel is FreeBSD, not Linux')
  })

  it('where the disk is full', async () => {
    await host.fillDisk(1024 ** 2)

    const plan = await bench.operations.plan({ host: declared(host), ...ADMIN })
    const refused = await refusalOf(Array.fromAsync(bench.bootstrap(host)))

    await host.freeDisk()
    assert.match(plan.items.find(({ name }) => name === 'disk')?.what ?? '', /are free on \/, \d+ MB are needed/)
    assert.deepEqual(
      refused.problems.map(({ code }) => code),
      ['hosts/cannot-disk'],
    )
  })

  it('where a person broke the configuration of nginx', async () => {
    await host.inside(['sh', '-c', 'echo oops >/etc/nginx/conf.d/site.conf'])

    const plan = await bench.operations.plan({ host: declared(host), ...ADMIN })

    await host.inside(['rm', '/etc/nginx/conf.d/site.conf'])
    const nginx = plan.items.find(({ name }) => name === 'nginx')
    assert.equal(nginx?.sign, 'cannot')
    assert.match(nginx.what, /nginx refuses its own configuration: .*site\.conf:/)
  })

  it('by nginx, and then nothing of it stays', async () => {
    const own = 'upstream pakashop-production-gateway { server 127.0.0.1:1; }'
    await host.inside(['sh', '-c', `echo '${own}' >/etc/nginx/conf.d/site.conf`])

    const refused = await refusalOf(Array.fromAsync(bench.bootstrap(host)))

    assert.match(refused.message, /nginx refuses it, and it was taken away again: [^]*duplicate upstream/)
    assert.match(refused.problems[0]?.hint ?? '', /Done already: user, key, .*is done when bootstrap is run again/)
    assert.equal(refused.outcome, 'failed-restored')
    assert.doesNotMatch(
      await host.inside(['ls', '/etc/nginx/conf.d', '/etc/drover/upstreams']),
      /drover\.conf|pakashop/,
    )
    await host.inside(['nginx', '-t'])
    await host.inside(['rm', '/etc/nginx/conf.d/site.conf'])
    assert.deepEqual(await bench.lacking(host), ['nginx', 'journal'])
  })

  it('where packages are missing and there is no way to them', async () => {
    await host.inside(['dpkg', '--purge', '--force-depends', 'nginx-light', 'nginx'])
    await host.inside(['rm', '-f', '/usr/sbin/nginx'])

    const refused = await refusalOf(Array.fromAsync(bench.bootstrap(host)))

    assert.match(refused.problems[0]?.where.at ?? '', /host h1, packages/)
    assert.match(refused.problems[0]?.hint ?? '', /Install nginx by hand.*Nothing else was changed/)
    assert.equal(refused.outcome, 'refused')
  })

  it('where sshd does not let the deploy user in, though everything is laid', async () => {
    await host.reset()
    await host.inside(['sh', '-c', 'echo AllowUsers admin >/etc/ssh/sshd_config.d/only.conf; systemctl reload ssh'])

    const refused = await refusalOf(Array.fromAsync(bench.bootstrap(host)))

    assert.equal(refused.problems[0]?.code, 'hosts/ssh-denied')
    assert.match(refused.problems[0].hint ?? '', /Everything is laid\. .*AllowUsers/)
  })

  it('where no systemd runs, and where what answers is no server at all', async () => {
    await hideSystemd(host)
    const plan = await bench.operations.plan({ host: declared(host), ...ADMIN })
    await host.reset()
    await answerGarbage(host, 'HTTP/1.1 400 Bad Request\r\n\r\n')
    const report = await bench.operations.look(declared(host), { as: 'admin' })

    assert.deepEqual(
      plan.items.map(({ name, sign }) => [name, sign]),
      [['systemd', 'cannot']],
    )
    // OpenSSH waits for a banner until its time is over.
    assert.equal(report.problems[0]?.code, 'hosts/unreachable')
    assert.match(report.problems[0].what, /banner exchange/)
  })

  it('where a private key is given for a public one, which is not repeated', async () => {
    const secret = '-----BEGIN OPENSSH PRIVATE KEY-----'

    const refused = await refusalOf(bench.operations.plan({ host: declared(host), keys: [secret], as: 'admin' }))

    assert.equal(refused.problems[0]?.code, 'hosts/public-key')
    assert.doesNotMatch(refused.message, /BEGIN/)
  })
})
