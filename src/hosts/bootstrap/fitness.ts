import { cannot } from './item.ts'
import type { Work } from './item.ts'
import type { HostNeeds } from './needs.ts'
import type { HostState } from './state.ts'

/** Why a machine can be no host at all, whatever is laid on it; all reasons at once. */
export function unfitness({ host }: HostNeeds, state: HostState): Work[] {
  if (state.kernel !== 'Linux') {
    return [
      cannot({
        name: 'system',
        what: `its kernel is ${state.kernel}, not Linux`,
        hint: 'Drover releases to Linux hosts with systemd.',
      }),
    ]
  }
  const found: Work[] = []
  if (!isDebianLike(state)) {
    found.push(
      cannot({
        name: 'system',
        what: `${state.os.name || 'its system'} is not of Debian's family`,
        hint: `bootstrap knows Debian and Ubuntu. docs/hosts.md lists what has to be on ${host}, to be laid there by hand.`,
      }),
    )
  }
  if (!state.systemd) {
    found.push(
      cannot({
        name: 'systemd',
        what: `process 1 is ${state.init || 'unknown'}, and no systemd manages the machine`,
        hint: 'Services run as units of systemd. Is this a container? Boot it with systemd as its init.',
      }),
    )
  }
  return found
}

function isDebianLike({ os, programs }: HostState): boolean {
  return programs.has('apt-get') && (os.id === 'debian' || os.id === 'ubuntu' || os.like.includes('debian'))
}

/** What the login lacks to change anything; empty when it may act as root. */
export function missingRights({ host, user }: HostNeeds, { login }: HostState): Work[] {
  const as = `\`drover hosts bootstrap ${host} --as <user>\``
  const name = 'rights'
  if (login.rights === 'root' || login.rights === 'sudo') return []
  if (login.rights === 'no-sudo') {
    const hint = `Log in as root once: \`drover hosts bootstrap ${host} --as root\`.`
    return [cannot({ name, what: `${login.user} is not root, and there is no sudo`, hint })]
  }
  const what = `sudo does not let ${login.user} become root without a password${saidBy(login.said)}`
  const hint =
    login.user === user
      ? `${user} is not meant to: name somebody who may with ${as}.`
      : `Name somebody who may with ${as}, or let ${login.user} for the time being: \`${passwordless(login.user)}\`, and afterwards \`sudo rm ${PASSWORDLESS}\`.`
  return [cannot({ name, what, hint })]
}

const PASSWORDLESS = '/etc/sudoers.d/bootstrap'

function passwordless(user: string): string {
  return `echo '${user} ALL=(ALL) NOPASSWD: ALL' | sudo tee ${PASSWORDLESS}`
}

function saidBy(said: string | undefined): string {
  const line = said?.split('\n').at(-1)?.trim() ?? ''
  return line === '' ? '' : ` (${line})`
}
