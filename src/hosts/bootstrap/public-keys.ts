import { createHash } from 'node:crypto'

/** A line of `authorized_keys`, or of a `.pub` file. */
export interface PublicKey {
  /** As it stands, with the options before the key. */
  readonly line: string
  /** `SHA256:…`, as ssh and ssh-keygen tell it. */
  readonly fingerprint: string
  readonly comment: string
}

const KEY =
  /(?:^|\s)((?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-[a-z0-9]+|sk-[a-z0-9-]+@openssh\.com))\s+([A-Za-z0-9+/]{40,}={0,2})(?:\s+(\S.*))?$/

/** The key of a line; undefined for comments, empty lines and what is no key. */
export function readPublicKey(text: string): PublicKey | undefined {
  const line = text.trim()
  if (line.startsWith('#')) return undefined
  const found = KEY.exec(line)
  if (found === null) return undefined
  const [, , blob = '', comment = ''] = found
  const digest = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64')
  return { line, fingerprint: `SHA256:${digest.replace(/=+$/, '')}`, comment }
}

export function readPublicKeys(text: string): PublicKey[] {
  return text
    .split('\n')
    .map(readPublicKey)
    .filter((key) => key !== undefined)
}
