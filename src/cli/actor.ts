import { userInfo } from 'node:os'
import type { Cli } from './cli.ts'

/** Who asks, for the record: the person behind `sudo`, not root. */
export function actorOf({ env }: Pick<Cli, 'env'>): string {
  const named = env['DROVER_ACTOR'] || env['SUDO_USER'] || env['USER'] || env['LOGNAME']
  if (named) return named
  try {
    return userInfo().username
  } catch {
    // A user id without a name, as in many containers.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
