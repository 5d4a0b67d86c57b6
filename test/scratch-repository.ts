import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** What to write at a path: a text, an executable, a link, or nothing any more. */
export type Content = string | { readonly executable: string } | { readonly link: string } | undefined

/** A real git repository in a folder of its own, for tests. */
export interface ScratchRepository {
  readonly folder: string
  /** Writes files, commits everything and gives the commit's id. */
  commit(files: Readonly<Record<string, Content>>, message?: string): string
  /** Runs git in it and gives what it printed. */
  git(...argv: readonly string[]): string
  remove(): void
}

/** An empty repository whose first branch is `main`. The person's own git configuration does not matter. */
export function scratchRepository(): ScratchRepository {
  const folder = mkdtempSync(join(tmpdir(), 'drover-repository-'))
  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Ada',
    GIT_AUTHOR_EMAIL: 'ada@example.org',
    GIT_COMMITTER_NAME: 'Ada',
    GIT_COMMITTER_EMAIL: 'ada@example.org',
  }
  const git = (...argv: readonly string[]): string =>
    execFileSync('git', argv, { cwd: folder, env, encoding: 'utf8', stdio: 'pipe' }).trim()
  git('init', '--quiet', '--initial-branch=main')
  return {
    folder,
    git,
    commit(files, message = 'A change') {
      for (const [path, content] of Object.entries(files)) write(join(folder, path), content)
      git('add', '--all')
      git('commit', '--quiet', '--allow-empty', '--message', message)
      return git('rev-parse', 'HEAD')
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function write(path: string, content: Content): void {
  rmSync(path, { recursive: true, force: true })
  if (content === undefined) return
  mkdirSync(dirname(path), { recursive: true })
  if (typeof content === 'object' && 'link' in content) return symlinkSync(content.link, path)
  writeFileSync(path, typeof content === 'string' ? content : content.executable)
  if (typeof content === 'object') chmodSync(path, 0o755)
}
