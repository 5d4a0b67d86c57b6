import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Inventory } from '../src/hosts/inventory/inventory.ts'
import { takeInventory } from '../src/hosts/inventory/take-inventory.ts'
import { localHost } from '../src/hosts/local/local-host.ts'
import { labSshd } from '../src/hosts/ssh/lab-sshd.ts'

/**
 * What it takes to lay folders on a host over an open ssh connection of the loopback: Drover, `rsync -a --link-dest` and a
 * tar stream, the latter two once for each folder, as a script would. Prints a table in Markdown. Read ratios: both ends
 * share this machine. Drover reads what arrived again, compares its sha256 and has the disk keep it before it goes on;
 * the others do none of that.
 *
 *     node bench/transfer.ts [rounds]
 */
const ROUNDS = Number(process.argv[2] ?? 3)
const KILOBYTE = 'x = "0123456789abcdefghijklmnopqrstuvwxyz"; // and so on\n'.repeat(18)

interface Contestant {
  readonly name: string
  connect(): Promise<void>
  prepare?(folders: ReadonlyMap<string, string>): Promise<void>
  /** Lays folders by their services below a version, beside those of an earlier one. Gives the bytes sent, if it knows. */
  lay(folders: ReadonlyMap<string, string>, version: string, before?: string): Promise<number>
}

interface Step {
  readonly name: string
  readonly folders: ReadonlyMap<string, string>
}

const cleanups: (() => Promise<void>)[] = []
const lab = await labSshd({ after: (work) => cleanups.unshift(work) })
const ssh = ['ssh', '-F', lab.configFile, '-o', 'ControlMaster=auto', '-o', 'ControlPersist=60']
ssh.push('-o', `ControlPath=${lab.folder}/c`)
const local = localHost()
const say = (text: string): void => void process.stdout.write(`${text}\n`)
try {
  const contestants = [drover(), rsync(), tar()]
  say(`| ms, median of ${ROUNDS} | ${contestants.map(({ name }) => name).join(' | ')} | Drover sent, MB |`)
  say(`|---|${contestants.map(() => '--:').join('|')}|--:|`)
  await compare('5,000 files, 50 MB', contestants, await oneService())
  await compare('19 services, 6 sets of packages', contestants, await fleet())
} finally {
  await local.run({ program: 'ssh', argv: [...ssh.slice(1), '-O', 'exit', 'lab'] })
  for (const cleanup of cleanups) await cleanup()
}

async function compare(name: string, contestants: readonly Contestant[], steps: readonly Step[]): Promise<void> {
  const times = steps.map(() => contestants.map((): number[] => []))
  const sent = new Map<string, number>()
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [column, contestant] of contestants.entries()) {
      await contestant.connect()
      let before: string | undefined
      for (const [row, step] of steps.entries()) {
        const version = `${column}-${round}-${row}`
        await contestant.prepare?.(step.folders)
        const began = performance.now()
        const bytes = await contestant.lay(step.folders, version, before)
        times[row]![column]!.push(performance.now() - began)
        if (column === 0) sent.set(step.name, bytes)
        before = version
      }
      await must('rm', ['-rf', join(lab.folder, 'artifacts')])
    }
  }
  for (const [row, step] of steps.entries()) {
    const medians = times[row]!.map((all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!)
    const cells = medians.map((ms) => `${ms.toFixed(0)} (${(ms / medians[0]!).toFixed(1)})`)
    say(`| ${name}: ${step.name} | ${cells.join(' | ')} | ${(sent.get(step.name)! / 1e6).toFixed(3)} |`)
  }
}

/** What folders hold is known since they were built; what lies on the host, since it was laid. */
function drover(): Contestant {
  const host = lab.host()
  const inventories = new Map<string, Promise<Inventory>>()
  return {
    name: 'Drover',
    connect: async () => void (await host.run({ program: 'true', argv: [] })),
    async prepare(folders) {
      for (const folder of folders.values()) inventories.set(folder, takeInventory(folder))
      await Promise.all(inventories.values())
    },
    async lay(folders, version) {
      const shelf = join(lab.folder, 'artifacts')
      const parcels = [...folders].map(([service, folder]) => ({
        folder,
        target: join(shelf, service, version),
        inventory: () => inventories.get(folder)!,
      }))
      const laid = await host.uploadAll(parcels, { shelf })
      return laid.reduce((sum, { sent }) => sum + sent, 0)
    },
  }
}

function rsync(): Contestant {
  return {
    name: 'rsync --link-dest',
    connect: () => must('ssh', [...ssh.slice(1), 'lab', 'true']),
    async lay(folders, version, before) {
      for (const [service, folder] of folders) {
        const place = join(lab.folder, 'artifacts', service)
        await must('mkdir', ['-p', place])
        const link = before === undefined ? [] : [`--link-dest=../${before}`]
        await must('rsync', ['-a', '-e', ssh.join(' '), ...link, `${folder}/`, `lab:${place}/${version}`])
      }
      return 0
    },
  }
}

function tar(): Contestant {
  return {
    name: 'tar stream',
    connect: () => must('ssh', [...ssh.slice(1), 'lab', 'true']),
    async lay(folders, version) {
      for (const [service, folder] of folders) {
        const script = `tar -C "$1" -cf - . | ${ssh.join(' ')} lab "mkdir -p '$2' && tar -C '$2' -xf -"`
        await must('sh', ['-c', script, 'tar', folder, join(lab.folder, 'artifacts', service, version)])
      }
      return 0
    },
  }
}

async function oneService(): Promise<Step[]> {
  const built = join(lab.folder, 'built', 'one')
  for (let file = 0; file < 5000; file += 1) {
    await put(join(built, '1', `package-${file % 150}`, 'lib', `${file}.js`), `// ${file}\n${KILOBYTE.repeat(10)}`)
  }
  await again(join(built, '1'), join(built, '2'))
  await again(join(built, '2'), join(built, '3'))
  await change(join(built, '3', 'package-7', 'lib', '7.js'), 'third')
  const only = (version: string): ReadonlyMap<string, string> => new Map([['one', join(built, version)]])
  return [
    { name: 'first', folders: only('1') },
    { name: 'the same under another name', folders: only('2') },
    { name: '2 KB changed', folders: only('3') },
  ]
}

/** Nineteen services: 15 Node services with 1,275 files each, of 6 lockfiles, and 4 compiled ones. */
async function fleet(): Promise<Step[]> {
  const built = join(lab.folder, 'built', 'fleet')
  for (let layer = 0; layer < 6; layer += 1) {
    for (let file = 0; file < 1275; file += 1) {
      const path = join(built, 'layers', String(layer), `package-${file % 90}`, `${file}.js`)
      await put(path, `// ${layer} ${file}\n${KILOBYTE.repeat(layer === 0 ? 9 : 1)}`)
    }
  }
  const versions = ['1', '2', '3'].map(() => new Map<string, string>())
  for (let number = 0; number < 19; number += 1) {
    for (const [version, folders] of versions.entries()) {
      const folder = join(built, String(version), `service-${number}`)
      if (number < 15) await again(join(built, 'layers', String(number % 6)), join(folder, 'app', 'node_modules'))
      else await put(join(folder, 'binary'), `${number}`.repeat(2_000_000))
      const isNew = version === 2 || (version === 1 && number === 3)
      await put(join(folder, 'app', 'main.js'), `// ${number} ${isNew ? version : 0}\n${KILOBYTE.repeat(2)}`)
      folders.set(`service-${number}`, folder)
    }
  }
  const [first, second, third] = versions
  const one = new Map([...second!].filter(([service]) => service === 'service-3'))
  return [
    { name: 'first', folders: first! },
    { name: '2 KB of each changed', folders: third! },
    { name: '2 KB of one changed', folders: one },
  ]
}

/** A copy by hard links, as Drover's store keeps packages. */
async function again(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await must('cp', ['-al', from, to])
}

async function put(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
}

async function change(file: string, text: string): Promise<void> {
  await must('rm', [file])
  await put(file, `// ${text}\n${KILOBYTE.repeat(2)}`)
}

async function must(program: string, argv: readonly string[]): Promise<void> {
  const { ok, stderr, failure } = await local.run({ program, argv }, { timeoutMs: 600_000 })
  if (!ok) throw new Error(`${program}: ${failure} ${stderr}`)
}
