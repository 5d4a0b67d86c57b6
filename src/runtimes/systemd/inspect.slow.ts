import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { whatIsMissing } from '../../../lab/needs.ts'
import { act } from '../../hosts/act.ts'
import { layout } from '../../hosts/layout.ts'
import { renderEnvironmentFile } from '../environment-file.ts'
import { fileDigest } from '../laid-spec.ts'
import type { SlotSpec } from '../runtime.ts'
import { fence, openLabSystemd, systemdBench } from './systemd-bench.ts'
import type { LabSystemd, SystemdBench } from './systemd-bench.ts'

const missing = await whatIsMissing()
const skip = missing.length > 0 ? `the lab cannot run: ${missing.join('; ')}` : false

const ENVIRONMENT = renderEnvironmentFile([['GREETING', 'hello\nyou']])

describe('an inspection of a host of the lab', { skip }, () => {
  let lab: LabSystemd
  before(async () => {
    lab = await openLabSystemd()
  })
  after(() => lab?.close())

  test('finds nothing where a service runs as it was laid, also after a reboot', async (t) => {
    const bench = await running(t)

    const at = [await inspect(bench)]
    await lab.machine.reboot()
    at.push(await inspect(bench))

    for (const { slots, environments, findings } of at) {
      assert.deepEqual(findings, [])
      assert.deepEqual(
        slots.map(({ service, slot, state }) => [service, slot, state]),
        [['web', 'a', 'running']],
      )
      assert.deepEqual([...environments], [['web.a', fileDigest(ENVIRONMENT)]])
    }
  })

  const edits: readonly [what: string, edit: string, found: readonly string[], mended?: boolean][] = [
    ['an edited unit', 'echo "MemoryMax=1G" >>$unit', ['unit-edited']],
    ['an edited unit that systemd has read', 'echo "# x" >>$unit; systemctl daemon-reload', ['unit-edited']],
    ['a touched unit', 'sleep 0.01; touch $unit', ['unit-unread']],
    ['a removed unit', 'rm $unit', ['unit-missing']],
    ['an edited launcher', 'echo "# x" >>$slot/run', ['slot-edited']],
    ['an edited environment of root', 'echo "A=\\"b\\"" >>/etc/drover/environments/$name@a.env', ['environment']],
    ['a removed environment of root', 'rm /etc/drover/environments/$name@a.env', ['environment']],
    ['a slot that does not boot', 'rm /etc/systemd/system/$prefix.target.wants/$name@a.service', ['boot']],
    ['a fleet that does not boot', 'rm /etc/systemd/system/*.wants/$prefix.target', ['boot']],
    ['a slot that is not wanted any more', 'rm $slot/wanted', ['boot']],
    [
      'a drop-in',
      'mkdir $unit.d; printf "[Service]\\nNice=5\\n" >$unit.d/x.conf; systemctl daemon-reload',
      ['unit-override'],
      false,
    ],
    [
      'a unit of somebody else',
      'printf "[Timer]\\n" >/etc/systemd/system/$prefix-backup.timer',
      ['unit-foreign'],
      false,
    ],
    ['a masked unit', 'rm $unit; ln -s /dev/null $unit; systemctl daemon-reload', ['unit-foreign'], false],
    ['an edited helper', 'echo "# x" >>/usr/local/sbin/drover-host', ['helper'], false],
    ['a sudo that does not let us', 'mv /etc/sudoers.d/drover /var/tmp/', ['sudo'], false],
  ]
  for (const [what, edit, found, mended = true] of edits) {
    test(`finds ${what}${mended ? ', which the next start puts right' : ''}`, async (t) => {
      const bench = await running(t)

      await asRoot(bench, edit)
      const { findings } = await inspect(bench)
      if (mended) await startAnew(bench)
      else await asRoot(bench, UNDO)
      const after = await inspect(bench)

      assert.deepEqual(
        findings.map(({ kind }) => kind),
        found,
        JSON.stringify(findings),
      )
      assert.deepEqual(after.findings, [])
    })
  }

  /** A fleet of its own with a service that runs in slot a. */
  async function running(t: TestContext): Promise<SystemdBench> {
    const bench = await systemdBench(t, lab)
    const spec = specOf(bench, 'a')
    await act(bench.host, fence(bench, 0), [
      { kind: 'folder', path: `${bench.root}/env/web` },
      { kind: 'write', path: spec.environmentFile, content: ENVIRONMENT, mode: 0o600 },
    ])
    await bench.runtime.start(bench.host, fence(bench), [spec])
    return bench
  }

  function specOf(bench: SystemdBench, slot: 'a' | 'b'): SlotSpec {
    const spec = bench.custom('web', 'exec sleep 600', { slot })
    return { ...spec, environmentFile: layout(bench.root).environment('web', spec.config) }
  }

  function inspect({ runtime, host, root }: SystemdBench) {
    return runtime.inspect!(host, root)
  }

  /** As a release does it: in the other slot, and the first one is stopped. */
  async function startAnew(bench: SystemdBench): Promise<void> {
    await bench.runtime.prepare(bench.host, fence(bench))
    await bench.runtime.start(bench.host, fence(bench), [specOf(bench, 'b')])
    await bench.runtime.stop(bench.host, fence(bench), [{ service: 'web', slot: 'a', drainMs: 1000 }])
  }

  function asRoot({ fleet, root }: SystemdBench, line: string): Promise<string> {
    const names = `prefix=${fleet}-lab name=$prefix-web slot=${root}/slots/web/a
unit=/etc/systemd/system/$name@.service
`
    return lab.machine.inside(['sh', '-ec', names + line])
  }
})

/** What is not Drover's to put right. */
const UNDO = `rm -rf $unit.d /etc/systemd/system/$prefix-backup.timer
[ ! -e /var/tmp/drover ] || mv /var/tmp/drover /etc/sudoers.d/
sed -i '$!b;/^# x$/d' /usr/local/sbin/drover-host
if [ -L $unit ]; then rm $unit; systemctl stop $name@a; rm $slot/wanted; fi
systemctl daemon-reload`
