import { randomBytes } from 'node:crypto'
import { Secret } from '../../secrets/secret.ts'
import { NODE_BIN } from '../bootstrap/node-program.ts'
import { quote } from '../host.ts'
import type { Command } from '../host.ts'

/** A command made ready for a login shell on the far side. */
export interface Wrapped {
  /** Begins every line that is ours among the output; random, so that no output can hold it by chance. */
  readonly mark: string
  /** What the login shell is asked to do: no secret, and nothing that fish or csh read otherwise than sh does. */
  readonly login: string
  /** Two scripts and then the input of the command itself. */
  readonly stdin: Secret
}

/** Where system programs are, for users whose PATH lacks them. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The login shell only starts sh, which reads the rest from its input: so quoting rules of other shells, limits of
 * argument lists and eyes on the process list do not matter. The outer script marks where the output begins and ends
 * and tells the exit code, because the one of ssh also means ssh's own failures. The inner one runs in a session of its
 * own, and tells its number as that of the group to end.
 */
export function wrap(command: Command): Wrapped {
  const mark = newMark()
  const inner = renderInner(command, mark)
  const outer = renderOuter(mark, Buffer.byteLength(inner))
  const own = command.stdin ?? ''
  return {
    mark,
    login: readAndRun(Buffer.byteLength(outer)),
    stdin: new Secret(outer + inner + (own instanceof Secret ? own.open() : own)),
  }
}

/**
 * relay.pl, for a login shell. After the line with the mark, which never comes when the host has no perl, what it says is
 * its own.
 */
export function wrapRelay(program: string): Wrapped {
  const mark = newMark()
  const outer = `exec ${ENVIRONMENT} perl -e '${READ_AND_RUN}' ${mark} ${Buffer.byteLength(program)}\n`
  return { mark, login: readAndRun(Buffer.byteLength(outer)), stdin: new Secret(outer + program) }
}

/** Perl, which reads so many bytes of a program and nothing beyond, and runs them. */
const READ_AND_RUN =
  'my ($mark, $size, $text) = (@ARGV, ""); while (length $text < $size) { sysread STDIN, $text, $size - length $text, length $text or exit } @ARGV = (); syswrite STDOUT, "$mark begin\\n"; eval $text; die $@ if $@'

function newMark(): string {
  return `drover-${randomBytes(12).toString('hex')}`
}

/** head takes exactly these bytes and leaves the rest; shells that read a script from a pipe themselves take more. */
function readAndRun(bytes: number): string {
  return `exec sh -c 'eval "$(head -c ${bytes})"'`
}

/** Drover's own variables and those of the login are left behind, but for what names the user and the place. */
const ENVIRONMENT = `env -i "PATH=${NODE_BIN}:\${PATH:+$PATH:}${SYSTEM_PATH}" "HOME=$HOME" "USER=$USER" "LANG=\${LANG:-C.UTF-8}" \${TMPDIR:+"TMPDIR=$TMPDIR"}`

/** The braces: a script that was cut off on its way is a syntax error, and nothing of it runs. */
function renderOuter(mark: string, innerBytes: number): string {
  return `{
printf '%s\\n' '${mark} begin'
exec 3<&0
${ENVIRONMENT} \\
  setsid sh -c 'eval "$(head -c ${innerBytes})"' drover <&3 3<&- &
exec 3<&- </dev/null
wait $!
status=$?
printf '%s\\n' '${mark} end'
printf '%s\\n' "${mark} end $status" >&2
exit 0
}
`
}

function renderInner({ program, argv, env = {}, cwd }: Command, mark: string): string {
  const name = word(program)
  const isThere = program.includes('/') ? `[ -x ${name} ] && [ ! -d ${name} ]` : `command -v -- ${name} >/dev/null`
  const missing = (what: string): string => `{ printf '%s\\n' '${mark} missing ${what}' >&2; exit 127; }`
  return `{
printf '%s\\n' "${mark} begin $$" >&2
${cwd === undefined ? '' : `cd -- ${word(cwd)} 2>/dev/null || ${missing('folder')}`}
${Object.entries(env)
  .map(([name, value]) => exportVariable(name, value))
  .join('\n')}
${isThere} || ${missing('program')}
exec ${[program, ...argv].map(word).join(' ')}
}
`
}

function exportVariable(name: string, value: string | Secret): string {
  return `export ${checkedName(name)}=${word(value instanceof Secret ? value.open() : value)}`
}

/** A name that shells take for a variable's; throws for any other. */
export function checkedName(name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name
  throw new TypeError(`not a name of an environment variable: ${JSON.stringify(name)}`)
}

/** No program can be given a NUL; what comes after it would be lost without a word. */
export function withoutNul(text: string): string {
  if (text.includes('\0')) throw new TypeError('a text for a host must not contain a NUL character')
  return text
}

function word(text: string): string {
  return quote(withoutNul(text))
}
