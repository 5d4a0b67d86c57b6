import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Refusal, refusal } from '../../problem/problem.ts'

/** Where the helper lies on a host: root-owned, mode 0755. */
export const HELPER_PATH = '/usr/local/sbin/drover-host'

/** The user that programs of slots run as under systemd. */
export const SERVICE_USER = 'drover-services'

/** The helper's text, what it does and how it is called: see its head. */
export const HELPER_TEXT = readFileSync(new URL('drover-host.sh', import.meta.url), 'utf8')

/** Grows when a helper of before would refuse what Drover asks of this one. */
export const HELPER_VERSION = Number(/^VERSION=(\d+)$/m.exec(HELPER_TEXT)?.[1])

/** Of the text, in hex, as `drover-host version` says it. */
export const HELPER_SHA256 = createHash('sha256').update(HELPER_TEXT).digest('hex')

/** `sudo -n`, which never asks for a password, unless the user is root already. */
const AS_ROOT = 'if [ "$(id -u)" -eq 0 ]; then exec "$@"; else exec sudo -n -- "$@"; fi'

/** A call of the helper, to be made into a command or an operation of kind `run`. */
export interface RootCall {
  readonly program: string
  readonly argv: readonly string[]
  /** So that what sudo says can be told apart. */
  readonly env: Readonly<Record<string, string>>
}

/** `asRoot(['version'])` as the user that Drover works as on the host. */
export function asRoot(argv: readonly string[]): RootCall {
  return { program: 'sh', argv: ['-c', AS_ROOT, 'sh', HELPER_PATH, ...argv], env: { LC_ALL: 'C' } }
}

/** The same inside of a larger script: `as_root version`. */
export const AS_ROOT_FUNCTION = `as_root() {
  if [ "$(id -u)" -eq 0 ]; then ${HELPER_PATH} "$@"; else LC_ALL=C sudo -n -- ${HELPER_PATH} "$@"; fi
}
`

/** Refuses unless `drover-host version` answered with this version or a newer one. */
export function checkVersion(
  host: string,
  answer: { readonly ok: boolean; readonly stdout: string; readonly stderr: string },
): void {
  if (!answer.ok) {
    throw (
      helperFailure(host, `${answer.stderr}\n${answer.stdout}`) ??
      refusal('hosts/helper', `host ${host}`, `${HELPER_PATH} failed: ${answer.stderr.trim()}`, bootstrapHint(host))
    )
  }
  const version = Number(/^drover-host (\d+) /m.exec(answer.stdout)?.[1] ?? 0)
  if (version < HELPER_VERSION) {
    const what = `${HELPER_PATH} is of version ${version}, and this Drover needs ${HELPER_VERSION}`
    throw refusal('hosts/helper-old', `host ${host}`, what, bootstrapHint(host))
  }
}

/**
 * What a call of the helper said when it failed, as a Refusal; undefined when it is neither sudo nor the helper that
 * refused. `said`: its stderr, or the text of an error that quotes it.
 */
export function helperFailure(host: string, said: string): Refusal | undefined {
  const at = `host ${host}`
  const refused = /drover-host refused (name|root|text|foreign): (.*)/.exec(said)
  if (refused !== null) return helperRefused(host, refused[1] ?? '', refused[2] ?? '')
  if (/sudo: (not found|command not found)|exec: sudo: not found/.test(said)) {
    return refusal('hosts/no-sudo', at, 'sudo is not installed', bootstrapHint(host))
  }
  if (/sudo: .*(a password is required|a terminal is required)/.test(said)) {
    return refusal('hosts/sudo-password', at, 'sudo asks for a password for drover-host', bootstrapHint(host))
  }
  if (/is not in the sudoers file|may not run sudo|is not allowed to (execute|run)/.test(said)) {
    return refusal('hosts/sudo-forbidden', at, 'sudo does not let us run drover-host', bootstrapHint(host))
  }
  if (/drover-host: (command )?not found/.test(said)) {
    return refusal('hosts/no-helper', at, `there is no ${HELPER_PATH}`, bootstrapHint(host))
  }
  if (/drover-host: cannot /.test(said)) {
    return refusal('hosts/helper-old', at, `${HELPER_PATH} is older than this Drover`, bootstrapHint(host))
  }
  return undefined
}

/** The Refusal to throw for an error of `act` whose operations called the helper; any other error as it is. */
export function explainHelper(host: string, error: unknown): unknown {
  const text = error instanceof Refusal ? error.problems.map(({ what }) => what).join('\n') : ''
  return helperFailure(host, text) ?? error
}

function helperRefused(host: string, kind: string, what: string): Refusal {
  const at = `host ${host}`
  if (kind === 'foreign') {
    return refusal('hosts/foreign-unit', at, what, adoptHint(what))
  }
  if (kind === 'root') {
    return refusal('hosts/root-not-allowed', at, what, `Run: drover hosts bootstrap ${host}, which allows it.`)
  }
  return refusal(`hosts/helper-${kind}`, at, `${HELPER_PATH} refused: ${what}`, bootstrapHint(host))
}

function adoptHint(what: string): string {
  const [unit] = what.split(' ')
  return (
    'Give the fleet or the environment another name. Or let Drover adopt it: stop what runs of it, put it aside ' +
    `(sudo mv ${unit} /var/backups/, then sudo systemctl daemon-reload), and the next release lays its own.`
  )
}

function bootstrapHint(host: string): string {
  return `Run: drover hosts bootstrap ${host}`
}
