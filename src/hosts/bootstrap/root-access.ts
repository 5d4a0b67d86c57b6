import { cannot, same } from './item.ts'
import type { Item, Judge } from './item.ts'
import { HELPER_PATH } from '../drover-host/drover-host.ts'
import type { HostNeeds } from './needs.ts'
import { SUDOERS_FILE } from './places.ts'
import type { HostState } from './state.ts'

/** The line `VERSION=3` of a helper's text. */
export function versionOfHelper(text: string): number | undefined {
  const digits = /^VERSION=(\d+)$/m.exec(text)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** The program by which root acts for Drover. */
export const helper: Judge = ({ helper }, state) => {
  const name = 'helper'
  const what = `${HELPER_PATH}, version ${helper.version}`
  const verdict = verdictOn(helper, state.helper)
  if (verdict === undefined) return same(name, what)
  if (verdict === 'newer') {
    return cannot({
      name,
      what: `${HELPER_PATH} is of a newer Drover, version ${versionOfHelper(state.helper?.text ?? '')}; this one has ${helper.version}`,
      hint: 'Update this Drover; an older helper could not do what the newer one asks of it.',
    })
  }
  return {
    name,
    ...verdict,
    what,
    operations: [
      { kind: 'write', path: HELPER_PATH, content: helper.text, mode: 0o755 },
      // Below /usr/local a new file may belong to the group staff.
      { kind: 'run', program: 'chown', argv: ['--', 'root:root', HELPER_PATH] },
    ],
  }
}

function verdictOn(
  wanted: HostNeeds['helper'],
  found: HostState['helper'],
): Pick<Item, 'sign' | 'why'> | 'newer' | undefined {
  if (found === undefined) return { sign: 'add' }
  if (found.text === wanted.text) {
    if (found.owner === 'root:root' && found.mode === '755') return undefined
    return { sign: 'change', why: `belongs to ${found.owner} with mode ${found.mode}; should be root:root, 755` }
  }
  const version = versionOfHelper(found.text)
  if (version === undefined) return { sign: 'change', why: 'what lies there is not the helper' }
  if (version > wanted.version) return 'newer'
  return {
    sign: 'change',
    why: version === wanted.version ? 'is not what was laid: altered by hand?' : `was version ${version}`,
  }
}

export function sudoersFor(user: string): string {
  return `# Laid by drover hosts bootstrap. The helper checks what it is asked for.
${user} ALL=(root) NOPASSWD: ${HELPER_PATH}
`
}

/** Refused by visudo, it never comes into force: one bad file takes sudo from everybody. */
const PUT_IN_PLACE = `visudo -cqf "$1" || { visudo -cf "$1"; exit 1; }
chmod 440 -- "$1" && mv -fT -- "$1" "$2"`

/** The right to call the helper, and nothing else. */
export const sudoRule: Judge = ({ user }, state) => {
  const name = 'sudo'
  const what = `${user} may run the helper as root`
  const wanted = sudoersFor(user)
  const seesFiles = state.login.rights === 'root' || state.login.rights === 'sudo'
  if (seesFiles ? state.sudoers === wanted : state.helperAnswers) return same(name, what)
  const owner = ownerOf(state.sudoers)
  if (owner !== undefined && owner !== user) {
    return cannot({
      name,
      what: `${SUDOERS_FILE} gives the helper to ${owner}: the host is ready for that deploy user`,
      hint: `Write ${owner}@… in drover.yaml, or remove ${SUDOERS_FILE} if no fleet uses ${owner} any more.`,
    })
  }
  const candidate = '/etc/drover/sudoers.candidate'
  return {
    name,
    sign: state.sudoers === undefined ? 'add' : 'change',
    what,
    ...(state.sudoers === undefined ? {} : { why: `${SUDOERS_FILE} was altered by hand` }),
    operations: [
      { kind: 'folder', path: '/etc/drover', mode: 0o755 },
      { kind: 'write', path: candidate, content: wanted, mode: 0o600 },
      { kind: 'run', program: 'sh', argv: ['-c', PUT_IN_PLACE, 'sudoers', candidate, SUDOERS_FILE] },
    ],
  }
}

/** Whom a file of this kind is for; undefined for none, or one that does not name the helper. */
function ownerOf(sudoers: string | undefined): string | undefined {
  const line = sudoers?.split('\n').find((each) => !each.startsWith('#') && each.includes(HELPER_PATH))
  return line === undefined ? undefined : /^(\S+)\s/.exec(line)?.[1]
}
