import { Secret } from '../secrets/secret.ts'
import { quote } from './host.ts'
import type { Fence, Operation } from './operation.ts'

/** Longest output of one `run` operation that is brought back, per stream; its end, where errors are. */
const KEPT_OUTPUT_BYTES = 64 * 1024

/** Longest wait for commands of an older release that are still under way when a newer one takes over. */
const TAKE_OVER_SECONDS = 30

/**
 * One POSIX shell script that carries out a list of operations under the fence. Needs `sh`, coreutils and `flock` of
 * util-linux. The text holds opened secrets: it may travel on stdin only. Its answers are read by `answers.ts`.
 * Scripts whose claims have one in common run one after the other.
 */
export function renderScript(fence: Fence, operations: readonly Operation[], claims: readonly string[] = []): string {
  if (!Number.isSafeInteger(fence.number) || fence.number < 0) {
    throw new TypeError(`a fence number is an integer from 0, got ${fence.number}`)
  }
  const root = checkedPath(fence.root)
  const steps = inGroups(operations).map(([index, group]) => renderGroup(group, { index, root }))
  // The braces make the shell read all of it before it runs any of it: a script cut off on its way does nothing.
  return ['{', prologue(root, fence.number, claims), ...steps, "printf 'done\\n'", 'exit 0', '}', ''].join('\n')
}

/**
 * The fence. Everyone passes the gate alone: it keeps newcomers out while a higher number waits for the commands of
 * lower ones to end, and makes the change from the exclusive to the shared lock safe. Commands of the current number
 * hold the lock shared, so they never wait for each other. The number is on the disk before anything is done under it:
 * after a cut of the power an older one would pass again. `work` holds what a killed command leaves half-made; a
 * higher number has the host for itself for a moment, and throws it away then.
 */
function prologue(root: string, number: number, claims: readonly string[]): string {
  return `umask 022
LC_MESSAGES=C; export LC_MESSAGES
command -v flock >/dev/null || { printf 'missing flock\\n'; exit 1; }
root=${quote(root)} number=${number}
work=$root/work/$$
mkdir -p -- "$root" || { printf 'failed fence 1\\n'; exit 1; }
exec 8>>"$root/fence.gate" 9>>"$root/fence.lock" || { printf 'failed fence 1\\n'; exit 1; }
fence() {
  seen=0
  if [ -e "$root/fence" ]; then read -r seen <"$root/fence"; fi
  case $seen in ''|*[!0-9]*) printf 'broken fence\\n'; exit 1 ;; esac
}
flock -w ${2 * TAKE_OVER_SECONDS} 8 || { printf 'busy\\n'; exit 1; }
flock -s -w ${TAKE_OVER_SECONDS} 9 || { printf 'busy\\n'; exit 1; }
fence
if [ "$number" -lt "$seen" ]; then printf 'fenced %s\\n' "$seen"; exit 1; fi
if [ "$number" -gt "$seen" ]; then
  flock -w ${TAKE_OVER_SECONDS} 9 || { printf 'busy\\n'; exit 1; }
  rm -rf -- "$root/work"
  printf '%s\\n' "$number" | cat >"$root/fence.part" && sync -- "$root/fence.part" &&
    mv -fT -- "$root/fence.part" "$root/fence" && sync -- "$root" || { printf 'failed fence 1\\n'; exit 1; }
  flock -s 9
fi
(umask 077 && rm -rf -- "$work" && mkdir -p -- "$work") || { printf 'failed fence 1\\n'; exit 1; }
trap 'rm -rf -- "$work"' EXIT
${renderClaims(claims)}exec 8>&-${claims.length === 0 ? '' : '\nfor earlier in $before; do flock -s "$root/work/$earlier/claims" true 2>/dev/null; done'}
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
  printf 'ran %s %s %s %s\\n' "$1" "$2" "$(tail -c ${KEPT_OUTPUT_BYTES} -- "$work/out" | base64 -w 0)" "$(tail -c ${KEPT_OUTPUT_BYTES} -- "$work/err" | base64 -w 0)"
  [ "$2" -eq 0 ] || [ "$3" = may-fail ] || exit 1
}`
}

/**
 * A Drover that was killed leaves its script at work; the one that repeats it must not get in between. Claims are
 * made in the gate, so that of two scripts one is the earlier; a lock on the claim itself ends with the script and its
 * commands, however they end.
 */
function renderClaims(claims: readonly string[]): string {
  if (claims.length === 0) {
    return ''
  }
  if (claims.some((claim) => claim === '' || claim.includes('\n'))) {
    throw new TypeError('a claim is one line')
  }
  return `exec 7>"$work/claims" && flock 7 && printf '%s\\n' ${claims.map(word).join(' ')} >&7
before=$(cd "$root/work" && grep -lxFf "$$/claims" -- */claims | sed -n "/^$$\\//!s|/claims||p")
`
}

/**
 * Neighbours that one command can do together, with the place of the first: a release makes and removes dozens of
 * things, and each command takes a millisecond.
 */
function inGroups(operations: readonly Operation[]): [index: number, group: Operation[]][] {
  const groups: [index: number, group: Operation[]][] = []
  for (const [index, operation] of operations.entries()) {
    const last = groups.at(-1)?.[1]
    if (last?.[0] !== undefined && goTogether(last[0], operation)) {
      last.push(operation)
    } else {
      groups.push([index, [operation]])
    }
  }
  return groups
}

function goTogether(one: Operation, other: Operation): boolean {
  return (
    (one.kind === 'remove' && other.kind === 'remove') ||
    (one.kind === 'folder' && other.kind === 'folder' && one.mode === undefined && other.mode === undefined)
  )
}

function renderGroup(group: readonly Operation[], context: Context): string {
  const [first] = group
  if (first === undefined) {
    return ''
  }
  if (group.length === 1) {
    return renderOperation(first, context)
  }
  const paths = group.map((operation) => ('path' in operation ? pathWord(operation.path) : '')).join(' ')
  return `${first.kind === 'folder' ? 'mkdir -p' : 'rm -rf'} -- ${paths} || failed ${context.index} $?`
}

interface Context {
  readonly index: number
  readonly root: string
}

function renderOperation(operation: Operation, { index, root }: Context): string {
  switch (operation.kind) {
    case 'folder': {
      const path = pathWord(operation.path)
      const mode = operation.mode === undefined ? '' : ` && chmod -- ${octal(operation.mode)} ${path}`
      return `mkdir -p -- ${path}${mode} || failed ${index} $?`
    }
    case 'write': {
      const content = word(typeof operation.content === 'string' ? operation.content : operation.content.open())
      const path = pathWord(operation.path)
      const mode = operation.mode ?? 0o644
      const volatile = operation.volatile === true ? ' volatile' : ''
      const chmod = (mode & 0o111) === 0 ? '' : ` && chmod -- ${octal(mode)} ${path}`
      const part = operation.unread === true ? path : partOf(operation.path, root)
      return `put ${octal(~mode & 0o777)} ${path} ${content} ${part}${volatile}${chmod} || failed ${index} $?`
    }
    case 'link':
      return `point ${word(operation.target)} ${pathWord(operation.path)} ${partOf(operation.path, root)} || failed ${index} $?`
    case 'remove':
      return `rm -rf -- ${pathWord(operation.path)} || failed ${index} $?`
  }
  return renderRun(operation, index)
}

/** Where a file is made before it is renamed: in the work folder when that is on the same file system for sure. */
function partOf(path: string, root: string): string {
  return path.startsWith(`${root}/`) ? '"$work/part"' : `${quote(`${path}.part-`)}$$`
}

/**
 * Output goes to files, not to a pipe, so that a daemon holding it open does not hold the script. Exported in the
 * shell itself, a secret is in no argument list. Without the lock a daemon does not keep the next release waiting.
 */
function renderRun(operation: Operation & { kind: 'run' }, index: number): string {
  const steps = [
    ...(operation.daemonizes === true ? ['exec 7>&- 9>&-'] : []),
    ...(operation.cwd === undefined ? [] : [`cd -- ${pathWord(operation.cwd)} || exit 1`]),
    ...Object.entries(operation.env ?? {}).map(([name, value]) => exportVariable(name, value)),
    ['exec', operation.program, ...operation.argv].map(word).join(' '),
  ]
  const mayFail = operation.mayFail === true ? ' may-fail' : ' must-succeed'
  return `(${steps.join('; ')}) >"$work/out" 2>"$work/err" </dev/null; ran ${index} $?${mayFail}`
}

function exportVariable(name: string, value: string | Secret): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new TypeError(`not a name of an environment variable: ${JSON.stringify(name)}`)
  }
  return `export ${name}=${word(value instanceof Secret ? value.open() : value)}`
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

function pathWord(path: string): string {
  return word(checkedPath(path))
}

/** An operation names its place in full; a slip in the code above must not remove what a working folder decides. */
function checkedPath(path: string): string {
  if (!/^\/[^/]/.test(path) || path.split('/').some((part) => part === '..' || part === '.')) {
    throw new TypeError(`an operation needs an absolute path without dots, got ${JSON.stringify(path)}`)
  }
  return path.replace(/\/+$/, '')
}

/** No shell and no file name can hold a NUL; what comes after it would be lost without a word. */
function word(text: string): string {
  if (text.includes('\0')) {
    throw new TypeError('a text for a host must not contain a NUL character')
  }
  return quote(text)
}
