import type { Secret } from '../../secrets/secret.ts'

/** What a command may know of Drover's own environment; credentials of Drover are not among it. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'USER', 'TMPDIR'] as const

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The environment of a child process: the minimum plus what the command asks for. Secrets are opened here. */
export function childEnvironment(own: Readonly<Record<string, string | Secret>> = {}): Record<string, string> {
  const environment: Record<string, string> = { PATH: DEFAULT_PATH, LANG: 'C.UTF-8' }
  for (const name of PASSED_ON) {
    const value = process.env[name]
    if (value !== undefined) {
      environment[name] = value
    }
  }
  for (const [name, value] of Object.entries(own)) {
    environment[name] = typeof value === 'string' ? value : value.open()
  }
  return environment
}
