import { createHash } from 'node:crypto'
import { join } from 'node:path'

/** The longest socket that PM2 makes in its home; a socket's path has at most 107 bytes on Linux. */
const LONGEST_SOCKET = '/interactor.sock'
const LONGEST_PATH = 107

/** Where the PM2 of one environment lives: `folder` is its PM2_HOME, `link` a way to find it from the root. */
export interface Pm2Home {
  readonly folder: string
  /** `<root>/pm2`; the folder itself, or a link to it when the root's path is too long for a socket. */
  readonly link: string
}

/** One PM2 with a daemon of its own per environment, so that environments cannot touch each other. */
export function pm2Home(root: string): Pm2Home {
  const link = join(root, 'pm2')
  if (Buffer.byteLength(link + LONGEST_SOCKET) <= LONGEST_PATH) {
    return { folder: link, link }
  }
  return { folder: `/tmp/drover-pm2-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`, link }
}

/**
 * What PM2 is told through its environment. Every call may be the one that starts the daemon, so every call says all
 * of it. Nothing secret: PM2 hands its environment to whoever asks (`pm2 jlist`).
 */
export function pm2Environment(home: Pm2Home): Record<string, string> {
  return {
    PM2_HOME: home.folder,
    PM2_KILL_SIGNAL: 'SIGTERM',
    PM2_CONCURRENT_ACTIONS: '32',
    // No telemetry agent, no question to the network about newer versions.
    PM2_NO_INTERACTION: 'true',
    PM2_DISABLE_VERSION_CHECK: 'true',
    PM2_DISCRETE_MODE: 'true',
    // Half of a call is the loading of PM2's modules.
    NODE_COMPILE_CACHE: join(home.folder, 'compiled'),
  }
}
