/** A commit, as people want to see it. */
export interface Commit {
  /** The full object id. */
  readonly id: string
  /** The branch that it was asked for by; absent when it was a tag or an id. */
  readonly branch?: string
  readonly author: string
  /** When it was committed, milliseconds since the epoch. */
  readonly date: number
  /** The first line of the message. */
  readonly subject: string
}

/** For `git log -z`; read by {@link parseCommits}. A zero byte is the one thing that no field can hold. */
export const COMMIT_FORMAT = '--format=tformat:%H%x00%an%x00%ct%x00%s'

const FIELDS = 4

export function parseCommits(text: string): Commit[] {
  const fields = text.split('\0')
  const commits: Commit[] = []
  for (let i = 0; i + FIELDS <= fields.length; i += FIELDS) {
    const [id = '', author = '', seconds = '', subject = ''] = fields.slice(i, i + FIELDS)
    commits.push({ id, author, date: Number(seconds) * 1000, subject })
  }
  return commits
}
