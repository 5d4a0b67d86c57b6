import { same } from './item.ts'
import type { Judge } from './item.ts'
import { JOURNAL_FILE } from './places.ts'

const JOURNAL = `# Laid by drover hosts bootstrap. Services log to the journal; edit this file as you like, it is not laid again.
[Journal]
Storage=persistent
SystemMaxUse=1G
`

/** A bound for the logs of services; what a person has decided about it already stays. */
export const journal: Judge = (_needs, { journal }) => {
  const name = 'journal'
  const limit = /^SystemMaxUse=(\S+)$/m.exec(journal.settings)?.[1]
  if (journal.file !== undefined || limit !== undefined)
    return same(name, `at most ${limit ?? 'what its file says'} of logs`)
  return {
    name,
    sign: 'add',
    what: `at most 1G of logs, kept over reboots, by ${JOURNAL_FILE}`,
    operations: [
      { kind: 'folder', path: '/etc/systemd/journald.conf.d' },
      { kind: 'write', path: JOURNAL_FILE, content: JOURNAL },
      { kind: 'run', program: 'systemctl', argv: ['restart', 'systemd-journald'] },
      { kind: 'run', program: 'journalctl', argv: ['--flush'], mayFail: true },
    ],
  }
}
