import { join } from 'node:path'
import { refusal } from '../../problem/problem.ts'
import type { Builder } from '../builder.ts'
import { startLine } from '../start-line.ts'

/** Anything else: the build command makes what it makes, and the manifest says how that is started. */
export const commandBuilder: Builder = {
  language: 'command',
  version: 1,
  compiles: true,
  passedOn: [],
  // What the command needs cannot be known; it says so itself when it is missing.
  toolchain: async () => `sh ${process.platform} ${process.arch}`,
  async build({ service, tree, shell }) {
    if (service.start === undefined) {
      throw refusal(
        'build/no-start',
        `service ${service.name}`,
        'nothing says how it is started',
        'Add "start" to the service in drover.yaml: with "language: command" there is no convention for it.',
      )
    }
    if (service.build !== undefined) {
      await shell.runLine(service.build, { cwd: join(tree, service.path) })
    }
    return { start: startLine(service.start), environment: {}, known: new Map() }
  },
}
