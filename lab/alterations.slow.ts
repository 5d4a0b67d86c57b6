import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { answerGarbage, hideSystemd, sudoAsks } from './alterations.ts'
import type { LabHost } from './lab-host.ts'
import { openLab } from './lab.ts'
import type { Lab } from './lab.ts'
import { login } from './login.ts'
import { labSkip } from './needs.ts'
import { sshConfig } from './ssh-config.ts'

describe('a host of the lab', { skip: await labSkip() }, () => {
  let lab: Lab
  let host: LabHost

  before(async () => {
    lab = await openLab({ hosts: 1, say: (line) => process.stderr.write(`${line}\n`) })
    ;[host] = lab.hosts as [LabHost]
  })
  after(() => lab?.close())

  it('is known by its name in a configuration of ssh', async () => {
    const args = ['-F', sshConfig(lab), '-o', 'BatchMode=yes', 'h1', 'hostname']

    const { stdout } = await promisify(execFile)('ssh', args)

    assert.equal(stdout, 'h1\n')
  })

  it('may have a sudo that asks for a password', async () => {
    await sudoAsks(host, 'correct horse')

    const without = await login(host, 'sudo -n id -u')
    const given = await login(host, 'echo correct horse | sudo -S -p "" id -u')

    assert.notEqual(without.exitCode, 0)
    assert.match(without.stderr, /a password is required/)
    assert.equal(given.stdout, '0\n', given.stderr)
  })

  it('may seem to have no systemd, until it boots again', async () => {
    await hideSystemd(host)
    const hidden = await login(host, 'test -d /run/systemd/system || systemctl start nginx')
    await host.reboot()
    const shown = await login(host, 'systemctl is-active nginx')

    assert.match(hidden.stderr, /not been booted with systemd/)
    assert.equal(shown.stdout, 'active\n')
  })

  it('may answer garbage instead of SSH', async () => {
    await answerGarbage(host, 'HTTP/1.1 400 Bad Request\r\n\r\n')

    const answer = await login(host, 'true')

    assert.equal(answer.exitCode, 255)
    assert.equal(answer.stdout, '')
  })

  it('may be switched off by itself, and on again', async () => {
    await host.inside(['systemctl', 'poweroff', '--no-block'])
    while ((await host.state()).power === 'on') await new Promise((resolve) => setTimeout(resolve, 50))
    await host.powerOn()
    const answer = await login(host, 'systemctl is-system-running')

    assert.equal(answer.stdout, 'running\n')
  })
})
