import { FIRST_LINE, LAST_LINE } from './probe-script.ts'

/** What a host told about itself. What could not be seen, or is not there, is absent. */
export interface HostState {
  /** As `uname -s` says it. */
  readonly kernel: string
  /** As `uname -m` says it. */
  readonly machine: string
  readonly os: OperatingSystem
  /** Name of process 1, and whether a systemd manages the machine. */
  readonly init: string
  readonly systemd: boolean
  /** Version of the GNU C library. */
  readonly glibc?: string
  readonly programs: ReadonlySet<string>
  /** `3.11` */
  readonly python?: string
  /** The least that is free on what holds /, /usr, /var, /srv and the home of who logged in. */
  readonly disk: readonly DiskPlace[]
  readonly login: Login
  /** The deploy user. */
  readonly user?: Account
  readonly servicesUser: boolean
  /** Folders of environments that exist, by path. */
  readonly folders: ReadonlyMap<string, FolderState>
  readonly roots?: string
  readonly helper?: { readonly text: string; readonly owner: string; readonly mode: string }
  /** Whether who logged in may call the helper as root; only asked of ordinary users. */
  readonly helperAnswers: boolean
  readonly sudoers?: string
  readonly node: { readonly sha256?: string; readonly link?: string; readonly version?: string }
  readonly nginx: NginxState
  readonly journal: { readonly file?: string; readonly settings: string }
}

export interface OperatingSystem {
  /** `debian` */
  readonly id: string
  readonly like: readonly string[]
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly name: string
}

export interface DiskPlace {
  readonly path: string
  readonly mount: string
  readonly freeBytes: number
}

export interface Login {
  readonly user: string
  readonly home: string
  /** What it may do: `none` where nobody asked, `refused` with what sudo said. */
  readonly rights: 'root' | 'sudo' | 'no-sudo' | 'refused' | 'none'
  readonly said?: string
  /** Text of its `authorized_keys`. */
  readonly keys: string
}

export interface Account {
  readonly name: string
  readonly home: string
  readonly shell: string
  readonly groups: readonly string[]
  /** Text of its `authorized_keys`; absent where it cannot be read, or is not there. */
  readonly keys?: string
}

export interface FolderState {
  /** `filled`: a folder with something in it. */
  readonly kind: 'folder' | 'filled' | 'link' | 'file'
  readonly owner: string
  readonly mode: string
}

export interface NginxState {
  /** Whether there is a folder for files that the system's nginx includes. */
  readonly hasFolder: boolean
  readonly active: boolean
  readonly file?: string
  /** Files that name services, by environment. */
  readonly upstreams: ReadonlyMap<string, string>
  /** Whether nginx has been told of these files as they are. */
  readonly told: boolean
  /** What nginx says of its configuration; absent when it likes it, or was not asked. */
  readonly complaint?: string
}

/** Reads the answer of the probe script; undefined when it is not one, or was cut off. */
export function readState(answer: string): HostState | undefined {
  const lines = answer.split('\n')
  const first = lines.indexOf(FIRST_LINE)
  const last = lines.indexOf(LAST_LINE)
  if (first === -1 || last < first) return undefined
  const told = wordsOf(lines.slice(first + 1, last))
  const [user, home] = told.one('login').split(' ')
  if (user === undefined || home === undefined || told.one('kernel') === '') return undefined
  return {
    kernel: told.one('kernel'),
    machine: told.one('arch'),
    os: readOs(told.text('os') ?? ''),
    init: told.one('init'),
    systemd: told.one('systemd') === 'yes',
    ...present('glibc', /^glibc (\S+)$/.exec(told.one('libc'))?.[1]),
    programs: new Set(told.all('program')),
    ...present('python', /^\d+\.\d+$/.exec(told.one('python'))?.[0]),
    disk: told.all('disk').flatMap(readDisk),
    login: readLogin(told, user, home),
    ...present('user', readAccount(told)),
    servicesUser: told.one('services') !== '',
    folders: new Map(told.all('folder').flatMap(readFolder)),
    ...present('roots', told.text('roots')),
    ...present('helper', readHelper(told)),
    helperAnswers: told.one('helper-answers') === 'yes',
    ...present('sudoers', told.text('sudoers')),
    node: {
      ...present('sha256', nonEmpty(told.one('node-sha256'))),
      ...present('link', nonEmpty(told.one('node-link'))),
      ...present('version', nonEmpty(told.one('node-version'))),
    },
    nginx: {
      hasFolder: told.one('nginx-folder') === 'yes',
      active: told.one('nginx-active') === 'active',
      ...present('file', told.text('nginx-file')),
      upstreams: new Map(told.all('upstreams').flatMap(readUpstreams)),
      told: told.text('nginx-told')?.trim() === told.one('nginx-now'),
      ...present('complaint', told.text('nginx-said')),
    },
    journal: { ...present('file', told.text('journal-file')), settings: told.text('journal') ?? '' },
  }
}

interface Told {
  /** The value of a word; empty when it was not said. */
  one(word: string): string
  all(word: string): readonly string[]
  /** The text of a file; undefined when there is none. */
  text(word: string): string | undefined
}

function wordsOf(lines: readonly string[]): Told {
  const values = new Map<string, string[]>()
  for (const line of lines) {
    const [, word, value] = /^(\S+) ?(.*)$/.exec(line) ?? []
    if (word === undefined || value === undefined) continue
    values.set(word, [...(values.get(word) ?? []), value.trim()])
  }
  const one = (word: string): string => values.get(word)?.[0] ?? ''
  return {
    one,
    all: (word) => values.get(word) ?? [],
    text: (word) => (values.has(word) ? Buffer.from(one(word), 'base64').toString('utf8') : undefined),
  }
}

function readOs(text: string): OperatingSystem {
  const field = (name: string): string =>
    new RegExp(`^${name}=(.*)$`, 'm')
      .exec(text)?.[1]
      ?.trim()
      .replace(/^["'](.*)["']$/, '$1') ?? ''
  const id = field('ID')
  const like = field('ID_LIKE').split(/\s+/).filter(Boolean)
  return { id, like, name: field('PRETTY_NAME') || id }
}

function readDisk(line: string): DiskPlace[] {
  const [kilobytes = '', mount, path] = line.split(' ')
  if (!/^\d+$/.test(kilobytes) || mount === undefined || path === undefined) return []
  return [{ path, mount, freeBytes: Number(kilobytes) * 1024 }]
}

const RIGHTS = ['root', 'sudo', 'no-sudo', 'refused'] as const

function readLogin(told: Told, user: string, home: string): Login {
  const [word, said] = told.one('rights').split(' ')
  return {
    user,
    home,
    rights: RIGHTS.find((each) => each === word) ?? 'none',
    ...present('said', said === undefined ? undefined : Buffer.from(said, 'base64').toString('utf8').trim()),
    keys: told.text('login-keys') ?? '',
  }
}

/** A line of `getent passwd`. */
function readAccount(told: Told): Account | undefined {
  const [name, , , , , home, shell] = told.one('user').split(':')
  if (name === undefined || home === undefined || shell === undefined) return undefined
  return { name, home, shell, groups: told.one('groups').split(' '), ...present('keys', told.text('keys')) }
}

const KINDS = ['folder', 'filled', 'link', 'file'] as const

function readFolder(line: string): [path: string, state: FolderState][] {
  const [word, owner, mode, path] = line.split(' ')
  const kind = KINDS.find((each) => each === word)
  if (kind === undefined || owner === undefined || mode === undefined || path === undefined) return []
  return [[path, { kind, owner, mode }]]
}

function readUpstreams(line: string): [environment: string, text: string][] {
  const [environment, text = ''] = line.split(' ')
  return environment === undefined ? [] : [[environment, Buffer.from(text, 'base64').toString('utf8')]]
}

function readHelper(told: Told): HostState['helper'] {
  const [owner, mode] = told.one('helper-mode').split(' ')
  if (owner === undefined || mode === undefined) return undefined
  return { text: told.text('helper') ?? '', owner, mode }
}

function nonEmpty(text: string): string | undefined {
  return text === '' ? undefined : text
}

/** A field of an object, or none: `exactOptionalPropertyTypes` tells an absent one from an undefined one. */
function present<K extends string, V>(name: K, value: V | undefined): { readonly [key in K]?: V } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed key widens to string
  return (value === undefined ? {} : { [name]: value }) as { readonly [key in K]?: V }
}
