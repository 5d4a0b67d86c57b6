import { Refusal, refusal } from '../../problem/problem.ts'

/** What is known of a connection that did not come about. */
export interface Failed {
  /** Name of the host in the fleet. */
  readonly name: string
  readonly destination: string
  /** `ssh` with the options that matter to a person who tries the same: `ssh -F file -p 22 deploy@web-1`. */
  readonly tryIt: string
  /** What ssh said, at its level of detail `-v` where that was asked for. */
  readonly said: string
  /** The user's file of known hosts, where it was asked for. */
  readonly knownHosts?: string
}

const TOO_LATE = 'did not answer in time'

interface Cause {
  readonly pattern: RegExp
  readonly code: string
  readonly what: string
  readonly hint: (failed: Failed) => string
}

/** In the words of OpenSSH 8 and 9, which it never translates; the first that fits counts. */
const CAUSES: readonly Cause[] = [
  {
    pattern: /Permission denied|Too many authentication failures|No more authentication methods/i,
    code: 'hosts/ssh-denied',
    what: 'refuses our keys',
    hint: ({ tryIt }) =>
      `Is the right key in the agent or in ~/.ssh/config, and in authorized_keys of that user? Try \`${tryIt} true\`.`,
  },
  {
    pattern: /Could not resolve hostname|Name or service not known|Temporary failure in name resolution/i,
    code: 'hosts/unknown-name',
    what: 'its name cannot be resolved',
    hint: () => 'Is the name spelt as in ~/.ssh/config or in DNS?',
  },
  {
    pattern:
      /Bad configuration option|terminating, \d+ bad configuration|Can't open user config file|Bad owner or perm/i,
    code: 'hosts/ssh-config',
    what: 'ssh does not accept its own configuration',
    hint: () => 'Mend the named line of the ssh configuration.',
  },
  {
    pattern: /Connection timed out|Operation timed out|timed out/i,
    code: 'hosts/unreachable',
    what: TOO_LATE,
    hint: () => 'Is the host up, and does a firewall let this machine through?',
  },
  {
    pattern: /Connection refused/i,
    code: 'hosts/unreachable',
    what: 'refuses connections',
    hint: () => 'Is sshd running there, on this port?',
  },
  {
    pattern: /No route to host|Network is unreachable|Host is down/i,
    code: 'hosts/unreachable',
    what: 'there is no way to it',
    hint: () => 'Is the host up, and is this machine in the right network?',
  },
  {
    pattern: /banner|Protocol mismatch|identification|Bad packet length|no matching|Unable to negotiate/i,
    code: 'hosts/not-ssh',
    what: 'what answers does not speak SSH as we do',
    hint: () => 'Is this the port of sshd, and not of something else?',
  },
  {
    pattern: /Connection (closed|reset)|Broken pipe|lost connection|kex_exchange/i,
    code: 'hosts/unreachable',
    what: 'closed the connection',
    hint: () => 'Is sshd overloaded (MaxStartups) or the host going down?',
  },
]

/** The refusal for a connection that did not come about, in words that say what to do. */
export function connectionRefusal(failed: Failed): Refusal {
  if (isKeyFailure(failed.said)) return keyRefusal(failed)
  const cause = CAUSES.find(({ pattern }) => pattern.test(failed.said))
  const said = lastWords(failed.said)
  const at = `host ${failed.name}`
  if (cause === undefined) {
    const what = `no command can be run on ${failed.destination}${said === '' ? '' : `: ${said}`}`
    return refusal('hosts/ssh-failed', at, what, `Does \`${failed.tryIt} true\` work by hand?`)
  }
  return refusal(cause.code, at, `${failed.destination}: ${cause.what} (${said})`, cause.hint(failed))
}

/**
 * A Refusal because the connection itself was not made in time: nothing was asked of the host. (Of one that was made and fell
 * silent, ssh says "not responding".)
 */
export function isTooLate(error: unknown): boolean {
  return error instanceof Refusal && error.problems.some(({ what }) => what.includes(TOO_LATE))
}

/** Whether it was the host's key; then a second try with `-v` tells the fingerprint. */
export function isKeyFailure(said: string): boolean {
  return /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|host key is known for|revoked host key/i.test(
    said,
  )
}

function keyRefusal({ name, destination, said, tryIt, knownHosts }: Failed): Refusal {
  const at = `host ${name}`
  const key = /Server host key: (\S+ \S+)/.exec(said)?.[1] ?? /SHA256:[A-Za-z0-9+/=]+/.exec(said)?.[0] ?? 'unknown'
  const offending = /Offending \S+ key in (.+?):(\d+)/.exec(said)
  if (/HAS CHANGED/.test(said)) {
    const file = offending === null ? 'known_hosts' : `${offending[1]} line ${offending[2]}`
    const remove = /ssh-keygen -f .*/.exec(said)?.[0].trim() ?? `ssh-keygen -R ${destination}`
    return refusal(
      'hosts/ssh-key-changed',
      at,
      `the key of ${destination} is not the one in ${file}; it shows ${key} now`,
      `Somebody may be in between: ask the host's owner whether it was installed anew and has this key. Only then: \`${remove}\`, and after it \`${accept(tryIt)}\`.`,
    )
  }
  return refusal(
    'hosts/ssh-key-unknown',
    at,
    `the key of ${destination} is not in ${knownHosts ?? 'known_hosts'}; it shows ${key}`,
    `Compare it with what \`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\` says on the host itself; if they agree: \`${accept(tryIt)}\`.`,
  )
}

function accept(tryIt: string): string {
  return tryIt.replace(/^ssh /, 'ssh -o StrictHostKeyChecking=accept-new ').concat(' true')
}

function lastWords(said: string): string {
  const lines = said.split('\n').map((line) => line.trim())
  return lines
    .filter((line) => line !== '' && !line.startsWith('debug'))
    .slice(-2)
    .join('; ')
    .slice(-300)
}
