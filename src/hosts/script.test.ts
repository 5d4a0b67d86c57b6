import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { describe, test } from 'node:test'
import { Secret } from '../secrets/secret.ts'
import { act } from './act.ts'
import { localHost } from './local/local-host.ts'
import type { Operation } from './operation.ts'
import { renderScript } from './script.ts'

const FENCE = { root: '/srv/drover/shop', number: 42 }

describe('the rendered script', () => {
  test('takes the fence, then carries out the operations in order', () => {
    const script = renderScript(FENCE, [{ kind: 'folder', path: '/srv/drover/shop/env' }])

    assert.equal(
      script,
      `{
umask 022
LC_MESSAGES=C; export LC_MESSAGES
command -v flock >/dev/null || { printf 'missing flock\\n'; exit 1; }
root=/srv/drover/shop number=42
work=$root/work/$$
mkdir -p -- "$root" || { printf 'failed fence 1\\n'; exit 1; }
exec 8>>"$root/fence.gate" 9>>"$root/fence.lock" || { printf 'failed fence 1\\n'; exit 1; }
fence() {
  seen=0
  if [ -e "$root/fence" ]; then read -r seen <"$root/fence"; fi
  case $seen in ''|*[!0-9]*) printf 'broken fence\\n'; exit 1 ;; esac
}
flock -w 60 8 || { printf 'busy\\n'; exit 1; }
flock -s -w 30 9 || { printf 'busy\\n'; exit 1; }
fence
if [ "$number" -lt "$seen" ]; then printf 'fenced %s\\n' "$seen"; exit 1; fi
if [ "$number" -gt "$seen" ]; then
  flock -w 30 9 || { printf 'busy\\n'; exit 1; }
  rm -rf -- "$root/work"
  printf '%s\\n' "$number" | cat >"$root/fence.part" && sync -- "$root/fence.part" &&
    mv -fT -- "$root/fence.part" "$root/fence" && sync -- "$root" || { printf 'failed fence 1\\n'; exit 1; }
  flock -s 9
fi
(umask 077 && rm -rf -- "$work" && mkdir -p -- "$work") || { printf 'failed fence 1\\n'; exit 1; }
trap 'rm -rf -- "$work"' EXIT
exec 8>&-
trap 'exit 143' HUP INT TERM
failed() { printf 'failed %s %s\\n' "$1" "$2"; exit 1; }
# put <umask> <target> <content> <part, or the target itself> [volatile]
# Made with its final mode, no chmod: a secret is never readable, not even for a moment. When it cannot be written,
# once more through cat, because printf of some shells hides why.
put() {
  umask "$1"
  printf '%s' "$3" 2>/dev/null >"$4" || printf '%s' "$3" | cat >"$4" && \${5+:} sync -- "$4" && { [ "$4" = "$2" ] || mv -fT -- "$4" "$2"; }
  set -- $?
  umask 022
  return "$1"
}
point() {
  ln -sfn -- "$1" "$3" && mv -fT -- "$3" "$2"
}
ran() {
  printf 'ran %s %s %s %s\\n' "$1" "$2" "$(tail -c 65536 -- "$work/out" | base64 -w 0)" "$(tail -c 65536 -- "$work/err" | base64 -w 0)"
  [ "$2" -eq 0 ] || [ "$3" = may-fail ] || exit 1
}
mkdir -p -- /srv/drover/shop/env || failed 0 $?
printf 'done\\n'
exit 0
}
`,
    )
  })

  const cases: readonly [what: string, operation: Operation, line: string][] = [
    ['a folder', { kind: 'folder', path: '/srv/x' }, 'mkdir -p -- /srv/x || failed 0 $?'],
    [
      'a folder with a mode',
      { kind: 'folder', path: '/srv/x', mode: 0o700 },
      'mkdir -p -- /srv/x && chmod -- 0700 /srv/x || failed 0 $?',
    ],
    [
      'a file inside the root is made in the work folder',
      { kind: 'write', path: '/srv/drover/shop/f', content: 'a b\n', mode: 0o600 },
      `put 0177 /srv/drover/shop/f 'a b\n' "$work/part" || failed 0 $?`,
    ],
    [
      'a file elsewhere is made beside its target',
      { kind: 'write', path: '/etc/x', content: '', mode: 0o755 },
      `put 0022 /etc/x '' /etc/x.part-$$ && chmod -- 0755 /etc/x || failed 0 $?`,
    ],
    [
      'a secret file',
      { kind: 'write', path: '/srv/drover/shop/f', content: new Secret("it's") },
      `put 0133 /srv/drover/shop/f 'it'\\''s' "$work/part" || failed 0 $?`,
    ],
    [
      'a link',
      { kind: 'link', path: '/srv/drover/shop/live', target: 'sets/7' },
      'point sets/7 /srv/drover/shop/live "$work/part" || failed 0 $?',
    ],
    [
      'a removal',
      { kind: 'remove', path: '/srv/drover/shop/old $x' },
      `rm -rf -- '/srv/drover/shop/old $x' || failed 0 $?`,
    ],
    [
      'a command',
      { kind: 'run', program: 'echo', argv: ['a b', ''] },
      `(exec echo 'a b' '') >"$work/out" 2>"$work/err" </dev/null; ran 0 $? must-succeed`,
    ],
    [
      'a command with everything',
      {
        kind: 'run',
        program: '/bin/d',
        argv: [],
        cwd: '/srv',
        env: { A: 'x', B: new Secret('y z') },
        daemonizes: true,
        mayFail: true,
      },
      `(exec 7>&- 9>&-; cd -- /srv || exit 1; export A=x; export B='y z'; exec /bin/d) >"$work/out" 2>"$work/err" </dev/null; ran 0 $? may-fail`,
    ],
  ]
  for (const [what, operation, line] of cases) {
    test(`of ${what}`, () => {
      const script = renderScript(FENCE, [operation])

      assert.equal(script.split('exit 1\n}\n')[1], `${line}\nprintf 'done\\n'\nexit 0\n}\n`)
    })
  }

  test('does with one command what neighbours can share', () => {
    const script = renderScript(FENCE, [
      { kind: 'folder', path: '/srv/a' },
      { kind: 'folder', path: '/srv/b c' },
      { kind: 'folder', path: '/srv/d', mode: 0o700 },
      { kind: 'remove', path: '/srv/e' },
      { kind: 'remove', path: '/srv/f' },
      { kind: 'write', path: '/srv/drover/shop/f', content: 'x', volatile: true },
      { kind: 'write', path: '/srv/drover/shop/g', content: 'x', volatile: true, unread: true },
      { kind: 'remove', path: '/srv/g' },
    ])

    assert.equal(
      script.split('exit 1\n}\n')[1],
      `mkdir -p -- /srv/a '/srv/b c' || failed 0 $?
mkdir -p -- /srv/d && chmod -- 0700 /srv/d || failed 2 $?
rm -rf -- /srv/e /srv/f || failed 3 $?
put 0133 /srv/drover/shop/f x "$work/part" volatile || failed 5 $?
put 0133 /srv/drover/shop/g x /srv/drover/shop/g volatile || failed 6 $?
rm -rf -- /srv/g || failed 7 $?
printf 'done\\n'
exit 0
}
`,
    )
  })

  const refused: readonly [what: string, operation: Operation][] = [
    ['a relative path', { kind: 'remove', path: 'x' }],
    ['the root folder', { kind: 'remove', path: '/' }],
    ['a path with dots', { kind: 'remove', path: '/srv/../etc' }],
    ['a NUL in a content', { kind: 'write', path: '/srv/x', content: 'a\0b' }],
    ['a NUL in a path', { kind: 'folder', path: '/srv/x\0' }],
    ['a variable name with a command in it', { kind: 'run', program: 'x', argv: [], env: { 'A=1; rm': 'x' } }],
  ]
  for (const [what, operation] of refused) {
    test(`is not made for ${what}`, () => {
      assert.throws(() => renderScript(FENCE, [operation]), TypeError)
    })
  }

  test('makes its claims in the gate and waits for earlier ones outside of it', () => {
    const script = renderScript(FENCE, [], ['slot backend.a', "it's"])

    assert.ok(
      script.includes(`
exec 7>"$work/claims" && flock 7 && printf '%s\\n' 'slot backend.a' 'it'\\''s' >&7
before=$(cd "$root/work" && grep -lxFf "$$/claims" -- */claims | sed -n "/^$$\\//!s|/claims||p")
exec 8>&-
for earlier in $before; do flock -s "$root/work/$earlier/claims" true 2>/dev/null; done
`),
      script,
    )
  })

  test('is not made for a fence number that is no number', () => {
    assert.throws(() => renderScript({ root: '/srv', number: 1.5 }, []), TypeError)
    assert.throws(() => renderScript({ root: '/srv', number: -1 }, []), TypeError)
  })
})

test('any text survives as content, argument, variable, link and file name', async (t) => {
  const root = await mkdtemp(join(tmpdir(), "drover it's $HOME "))
  t.after(() => rm(root, { recursive: true }))
  const seed = Date.now() % 100_000
  t.diagnostic(`seed ${seed}`)
  const texts = [...HOSTILE, ...randomTexts(seed, 60)]
  const names = texts.map((text, index) => `${index} ${text.replaceAll('/', '_').slice(0, 40)}`)

  const results = await act(
    localHost(),
    { root, number: 1 },
    texts.flatMap((text, index): Operation[] => [
      { kind: 'write', path: `${root}/${names[index]}`, content: index % 2 === 0 ? text : new Secret(text) },
      { kind: 'link', path: `${root}/link ${index}`, target: names[index] ?? '' },
      {
        kind: 'run',
        program: 'sh',
        argv: ['-c', 'printf %s "$1$A" && cat -- "$2"', 'sh', text, `${root}/link ${index}`],
        env: { A: text },
      },
    ]),
  )

  assert.deepEqual(
    results.map((result) => result.stdout),
    texts.map((text) => text + text + text),
  )
  for (const [index, name] of names.entries()) {
    assert.equal(await readFile(join(root, name), 'utf8'), texts[index])
  }
})

const HOSTILE = [
  "'",
  "'\\''",
  '"$(touch /tmp/drover-was-here)"',
  '`id`',
  '$HOME',
  '\\',
  '\\n',
  '%s%n%%',
  '-n',
  '--',
  '~',
  '*',
  ' ',
  '\n',
  'a\n',
  '\n\nb',
  '\t\r\u0001\u001b[31m\u007f',
  'EOF',
  '!!',
  'A=1',
  '\u0080\u0081\u0088é€😀',
  '}\nexit 0\n',
  'x'.repeat(5000),
]

/** Texts without NUL and lone surrogates, from a small generator so that a seed repeats them. */
function randomTexts(seed: number, count: number): string[] {
  let state = seed + 1
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
  const alphabet = [
    "'",
    '"',
    '\\',
    '$',
    '`',
    '\n',
    ' ',
    '%',
    '-',
    '!',
    '*',
    '~',
    ';',
    '&',
    '|',
    '(',
    '#',
    'a',
    'é',
    '😀',
    '\u0081',
    '\u0001',
  ]
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + next(12) }, () => alphabet[next(alphabet.length)]).join(''),
  )
}
