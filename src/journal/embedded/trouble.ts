import { refusal, type Refusal } from '../../problem/problem.ts'

/**
 * PostgreSQL says why it did not start only in words. They decide nothing here but the hint; the last lines that
 * name an error are passed on as they are.
 */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/no space left/i, 'Free some space on that disk, or set DATABASE_URL to a PostgreSQL elsewhere.'],
  [/address already in use/i, 'Another program took the port at the same moment; try again.'],
  [/locale/i, 'Does this machine have the C locale? Install the package that carries it (`locales`).'],
  [/permission denied/i, 'The server runs as an unprivileged user; may it enter and write that folder?'],
  [/shared memory|semaphore/i, 'Is /dev/shm mounted and writable? Containers often give it a few MiB only.'],
  [/incompatible with server|database files are/i, "The data is another version's; dump it with that version first."],
  [
    /error while loading shared libraries/i,
    'The programs need glibc 2.17 or newer; set DATABASE_URL to a PostgreSQL elsewhere.',
  ],
]

export function startRefusal(what: string, output: string, at: string): Refusal {
  const said = complaints(output)
  const hint = HINTS.find(([pattern]) => pattern.test(said))?.[1]
  return refusal(
    'journal/embedded-postgres',
    at,
    `the embedded PostgreSQL ${what}${said === '' ? '' : `: ${said}`}`,
    hint ?? 'Read server.log in that folder, or set DATABASE_URL to a PostgreSQL of your own.',
  )
}

function complaints(output: string): string {
  const lines = output.split('\n').map((line) => line.trim())
  const wrong = lines.filter((line) => /fatal|panic|error|could not|denied/i.test(line))
  return (wrong.length > 0 ? wrong : lines)
    .filter((line) => line !== '')
    .slice(-3)
    .join('; ')
    .replace(/\.$/, '')
}
