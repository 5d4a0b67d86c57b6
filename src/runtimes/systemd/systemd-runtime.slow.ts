import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { whatIsMissing } from '../../../lab/needs.ts'
import { runtimeConformance } from '../conformance.ts'
import type { SlotRef } from '../runtime.ts'
import { fence, openLabSystemd, systemdBench, until } from './systemd-bench.ts'
import type { LabSystemd, SystemdBench } from './systemd-bench.ts'

const missing = await whatIsMissing()
const skip = missing.length > 0 ? `the lab cannot run: ${missing.join('; ')}` : false

describe('systemd on a host of the lab', { skip }, () => {
  let lab: LabSystemd
  before(async () => {
    lab = await openLabSystemd()
  })
  after(() => lab?.close())

  runtimeConformance('systemd', (t) => systemdBench(t, lab))

  describe('systemd: what services write', () => {
    const kinds: readonly [what: string, command: string, lines: readonly string[]][] = [
      [
        'JSON',
        `printf '%s\\n' '{"level":30,"msg":"a \\"b\\"\\n"}' '<3>no level'`,
        ['{"level":30,"msg":"a \\"b\\"\\n"}', '<3>no level'],
      ],
      [
        'colours and blanks, but for those at the end,',
        `printf '  a\\t \\n\\033[31mred\\033[0m\\n'`,
        ['  a', '\u001B[31mred\u001B[0m'],
      ],
      ['bytes that are no text', `printf '\\377\\376x\\001\\n'`, ['\uFFFD\uFFFDx\u0001']],
      ['a line without an end', `printf 'not ended'`, ['not ended']],
    ]
    for (const [what, command, lines] of kinds) {
      test(`${what} arrives as it was written`, async (t) => {
        const bench = await systemdBench(t, lab)
        const spec = { ...bench.custom('writer', command), restart: false }
        await bench.runtime.start(bench.host, fence(bench), [spec])

        await until(async () => (await bench.runtime.tail(bench.host, bench.root, spec, 10)).length >= lines.length)

        assert.deepEqual(await bench.runtime.tail(bench.host, bench.root, spec, 10), lines)
      })
    }

    test('a line of any length arrives in pieces, each with its slot', async (t) => {
      const bench = await systemdBench(t, lab)
      const spec = bench.custom('writer', `node -e "console.log('ü'.repeat(100000) + 'end')"; exec sleep 600`)
      const following = follow(bench, [spec])
      await bench.runtime.start(bench.host, fence(bench), [spec])

      await until(async () => following.lines.join('').endsWith('end'))

      await following.stop()
      assert.equal(following.lines.join('').replaceAll('writer.a ', ''), `${'ü'.repeat(100_000)}end`)
      const tail = await bench.runtime.tail(bench.host, bench.root, spec, 100)
      assert.equal(tail.join(''), `${'ü'.repeat(100_000)}end`)
    })

    test('the log of a slot begins with what runs there now', async (t) => {
      const bench = await systemdBench(t, lab)
      const old = bench.custom('writer', 'echo old; exec sleep 600')
      await bench.runtime.start(bench.host, fence(bench), [old])
      await until(async () => (await bench.runtime.tail(bench.host, bench.root, old, 10)).length === 1)
      const next = { ...bench.custom('writer', 'echo next; exec sleep 600'), artifact: 'next' }

      await bench.runtime.start(bench.host, fence(bench), [next])

      const tail = (): Promise<string[]> => bench.runtime.tail(bench.host, bench.root, next, 10)
      await until(async () => (await tail()).includes('next'))
      assert.deepEqual(await tail(), ['next'])
    })

    test('following outlives rotation and a restart of journald, loses no line and repeats none', async (t) => {
      const bench = await systemdBench(t, lab)
      const count = 'i=0; while [ $i -lt 300 ]; do i=$((i + 1)); echo "line $i"; sleep 0.02; done; exec sleep 600'
      const specs = [bench.custom('one', count), bench.custom('two', count, { slot: 'b' })]
      await bench.runtime.start(bench.host, fence(bench), specs)
      const following = follow(bench, specs, 1000)
      await until(async () => following.lines.length > 40)

      await lab.machine.inside(['journalctl', '--rotate'])
      await sleep(500)
      await lab.machine.inside(['systemctl', 'restart', 'systemd-journald'])
      await until(async () => following.lines.length >= 600)

      await following.stop()
      const expected = Array.from({ length: 300 }, (_, index) => `line ${index + 1}`)
      assert.deepEqual(linesOf(following.lines, 'one.a'), expected)
      assert.deepEqual(linesOf(following.lines, 'two.b'), expected)
    })

    test('nothing of a follower is left on the host when it is let go', async (t) => {
      const bench = await systemdBench(t, lab)
      const spec = bench.custom('writer', 'echo begins; exec sleep 600')
      await bench.runtime.start(bench.host, fence(bench), [spec])
      const following = follow(bench, [spec])
      await until(async () => following.lines.length === 1)

      await following.stop()

      // The relay of the connection stays.
      const others =
        'for pid in $(pgrep -u drover -x "perl|journalctl"); do grep -qa "mark begin" /proc/$pid/cmdline || echo $pid; done'
      assert.equal(await lab.machine.inside(['sh', '-c', others]), '')
    })
  })
})

interface Following {
  /** `service.slot line`, in the order they came. */
  readonly lines: string[]
  stop(): Promise<void>
}

function follow(bench: SystemdBench, slots: readonly SlotRef[], lines = 10): Following {
  const abort = new AbortController()
  const found: string[] = []
  const ended = bench.runtime.follow(bench.host, bench.root, slots, {
    lines,
    signal: abort.signal,
    onLine: (slot, line) => found.push(`${slot.service}.${slot.slot} ${line}`),
  })
  return {
    lines: found,
    stop: () => {
      abort.abort()
      return ended
    },
  }
}

function linesOf(lines: readonly string[], slot: string): string[] {
  return lines.filter((line) => line.startsWith(`${slot} `)).map((line) => line.slice(slot.length + 1))
}
