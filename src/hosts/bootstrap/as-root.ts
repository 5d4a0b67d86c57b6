import type { Host } from '../host.ts'

/**
 * The same host, as root: by sudo where the login is not root itself. What is passed on by `env` would be lost on the
 * way through sudo; operations carry theirs inside of their script.
 */
export function asRoot(host: Host, rights: 'root' | 'sudo'): Host {
  if (rights === 'root') return host
  return {
    ...host,
    run: ({ program, argv, ...command }, options) =>
      host.run({ ...command, program: 'sudo', argv: ['-n', '--', program, ...argv] }, options),
  }
}
