import { Secret } from '../secrets/secret.ts'
import type { SlotVariables } from './runtime.ts'

/**
 * The text of a slot's environment file: `NAME="value"` lines that a POSIX shell reads with `set -a; . file`, and systemd
 * as an EnvironmentFile. A value may hold anything but NUL, line ends included. The text is a Secret as soon as one value is.
 */
export function renderEnvironmentFile(variables: SlotVariables): string | Secret {
  const text = variables.map(([name, value]) => `${checkedName(name)}=${quoted(value)}\n`).join('')
  return variables.some(([, value]) => value instanceof Secret) ? new Secret(text) : text
}

function checkedName(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new TypeError(`not a name of an environment variable: ${JSON.stringify(name)}`)
  }
  return name
}

/** Double quotes: the only ones that mean the same to a shell and to systemd, whatever they hold. */
function quoted(value: string | Secret): string {
  const text = value instanceof Secret ? value.open() : value
  if (text.includes('\0')) {
    throw new TypeError('a value of an environment file must not contain a NUL character')
  }
  return `"${text.replaceAll(/["\\$`]/g, '\\$&')}"`
}
