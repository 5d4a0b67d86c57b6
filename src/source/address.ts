import { createHash } from 'node:crypto'
import { isAbsolute } from 'node:path'
import { refusal } from '../problem/problem.ts'
import { Secret, scrubUrlCredentials } from '../secrets/secret.ts'

/** Where a repository is, with what must not be shown taken out of it. */
export interface Address {
  /** What git is given and what people are shown; carries no credentials. */
  readonly url: string
  readonly credentials?: { readonly username: Secret; readonly password: Secret }
  readonly local: boolean
}

const SCHEMES = ['https:', 'http:', 'ssh:', 'git:', 'file:']

/** Reads an absolute path, a URL or `user@host:path`. Anything else is a Refusal that does not repeat a credential. */
export function parseAddress(text: string): Address {
  if (isAbsolute(text)) {
    return { url: text, local: true }
  }
  // The scp form has no room for a password; a first character other than a dash keeps it from being an option.
  if (/^[A-Za-z0-9_.][\w.-]*(@[\w.-]+)?:(?!\/\/)\S+$/.test(text)) {
    return { url: text, local: false }
  }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !SCHEMES.includes(url.protocol)) {
    throw refusal(
      'source/bad-address',
      'repository',
      `should be an absolute path, a URL or user@host:path, got "${scrubUrlCredentials(text)}"`,
      'Give it as https://host/team/fleet.git, git@host:team/fleet.git or /srv/git/fleet.git.',
    )
  }
  return withoutCredentials(url)
}

/** A folder name for the mirror of an address: readable, and different for different addresses. */
export function mirrorName(address: Address): string {
  const last = address.url.replace(/\/+$/, '').split(/[/:]/).at(-1) ?? ''
  const word = last.replace(/\.git$/, '').replace(/[^A-Za-z0-9_.-]/g, '-')
  const digest = createHash('sha256').update(address.url).digest('hex').slice(0, 12)
  return `${word === '' ? 'repository' : word}-${digest}.git`
}

/**
 * With HTTP all of the user part may be a token (`https://ghp_…@github.com/…`), so all of it is taken out. With SSH the
 * user name is part of the address and only a password is.
 */
function withoutCredentials(url: URL): Address {
  const local = url.protocol === 'file:'
  const username = decodeURIComponent(url.username)
  const password = decodeURIComponent(url.password)
  const http = url.protocol === 'https:' || url.protocol === 'http:'
  url.password = ''
  if (!http || (username === '' && password === '')) {
    return { url: url.href, local }
  }
  url.username = ''
  return { url: url.href, local, credentials: { username: new Secret(username), password: new Secret(password) } }
}
