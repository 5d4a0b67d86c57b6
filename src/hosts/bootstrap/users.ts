import { SERVICE_USER } from '../drover-host/drover-host.ts'
import { cannot, same } from './item.ts'
import type { Judge } from './item.ts'
import { readPublicKey, readPublicKeys } from './public-keys.ts'
import type { PublicKey } from './public-keys.ts'

/** Logs of services, and of nginx. */
const GROUPS = ['systemd-journal', 'adm']

/** The user that Drover logs in as. */
export const deployUser: Judge = ({ user }, state) => {
  const name = 'user'
  if (user === 'root') {
    return cannot({
      name,
      what: 'drover.yaml says that Drover logs in as root',
      hint: 'Write a user of its own there, such as drover@…, and name root with --as here.',
    })
  }
  const account = state.user
  if (account === undefined) {
    return {
      name,
      sign: 'add',
      what: `${user}, in ${GROUPS.join(' and ')}`,
      operations: [
        {
          kind: 'run',
          program: 'useradd',
          // A password that fits nothing. A locked one (`!`) would make some sshd refuse its keys as well.
          argv: ['--create-home', '--shell', '/bin/bash', '--password', '*', '--comment', 'Drover', '--', user],
        },
        joinGroups(user, GROUPS),
      ],
    }
  }
  if (/\/(nologin|false)$/.test(account.shell)) {
    return cannot({
      name,
      what: `${user} exists and may not log in (its shell is ${account.shell})`,
      hint: `Let it with \`usermod --shell /bin/bash ${user}\`, or write another user in drover.yaml.`,
    })
  }
  const missing = GROUPS.filter((group) => !account.groups.includes(group))
  if (missing.length === 0) return same(name, `${user}, in ${GROUPS.join(' and ')}`)
  return {
    name,
    sign: 'change',
    what: `${user} joins ${missing.join(' and ')}`,
    why: 'to read logs',
    operations: [joinGroups(user, missing)],
  }
}

function joinGroups(user: string, groups: readonly string[]) {
  return { kind: 'run', program: 'usermod', argv: ['--append', '--groups', groups.join(','), '--', user] } as const
}

const NOBODY = '--system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin'.split(' ')

/** The user that services run as. */
export const servicesUser: Judge = (_needs, { servicesUser }) => {
  const what = `run as ${SERVICE_USER}, which cannot log in`
  if (servicesUser) return same('services', what)
  return {
    name: 'services',
    sign: 'add',
    what,
    operations: [
      {
        kind: 'run',
        program: 'useradd',
        argv: [...NOBODY, '--', SERVICE_USER],
      },
    ],
  }
}

/** As the user itself: nothing that lies in its home can make root write elsewhere. */
const ADD_KEYS = `umask 077
cd -- "$(getent passwd "$(id -un)" | cut -d : -f 6)" && mkdir -p .ssh && chmod 700 .ssh || exit 1
{ [ ! -f .ssh/authorized_keys ] || cat .ssh/authorized_keys | sed -e '$a\\'; printf '%s\\n' "$@"; } >.ssh/authorized_keys.part &&
  mv -fT .ssh/authorized_keys.part .ssh/authorized_keys`

/**
 * Who may log in as the deploy user: the keys that a person gave, else the very key that logged in just now, as it
 * stands in the file that let it in, with its restrictions. Not all keys of that file: what others may do is not
 * widened by this, and a key that is taken from the admin later does not stay here unseen.
 */
export const loginKey: Judge = ({ user, access }, state) => {
  const name = 'key'
  const present = readPublicKeys(state.user?.keys ?? '')
  // Who looks without the right to read the file, and got in as this user, needs no more than that.
  if (access === undefined || state.login.user === user) return same(name, `${user} can log in`)
  const wanted = wantedKeys(access.given, access.fingerprint, state.login.keys)
  if (wanted.length === 0) {
    return cannot({
      name,
      what: `which key may log in as ${user}? The one that logged in as ${state.login.user} is not in its authorized_keys`,
      hint: 'Give a public key: `--key ~/.ssh/id_ed25519.pub`.',
    })
  }
  const missing = wanted.filter((key) => !present.some(({ fingerprint }) => fingerprint === key.fingerprint))
  if (missing.length === 0) return same(name, `${user} can log in`)
  return {
    name,
    sign: 'add',
    what: `of ${user}: ${missing.map(told).join(', ')}`,
    why: access.given.length > 0 ? 'as given with --key' : `logged in as ${state.login.user} just now`,
    operations: [
      {
        kind: 'run',
        program: 'runuser',
        argv: ['-u', user, '--', 'sh', '-c', ADD_KEYS, 'keys', ...missing.map(({ line }) => line)],
      },
    ],
  }
}

function wantedKeys(given: readonly string[], fingerprint: string | undefined, keysOfLogin: string): PublicKey[] {
  if (given.length > 0) return given.map(readPublicKey).filter((key) => key !== undefined)
  const key = readPublicKeys(keysOfLogin).find((each) => each.fingerprint === fingerprint)
  return key === undefined ? [] : [key]
}

function told({ fingerprint, comment }: PublicKey): string {
  return comment === '' ? fingerprint : `${fingerprint} (${comment})`
}
