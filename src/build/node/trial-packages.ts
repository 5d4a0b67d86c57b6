import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { Files } from '../trial.ts'

/** A package as npm publishes it, for tests that need no registry. */
export interface Tarball {
  readonly bytes: Uint8Array
  /** Its entry in a lockfile, when it lies beside that. */
  readonly locked: { readonly version: string; readonly resolved: string; readonly integrity: string }
}

/** Packages that export a sentence and bring a program of their own name. */
export const greet = pack('greet')
export const tool = pack('tool')

/** A service at `path` that needs `greet` to run and `tool` to be built; `more` goes into its package.json. */
export function shopAt(path: string, more: Readonly<Record<string, unknown>> = {}): Files {
  const wanted = { dependencies: { greet: 'file:greet.tgz' }, devDependencies: { tool: 'file:tool.tgz' } }
  const name = path.replaceAll('/', '-')
  const manifest = { name, version: '1.0.0', scripts: { start: 'node server.js' }, ...wanted, ...more }
  const lock = {
    name,
    version: '1.0.0',
    lockfileVersion: 3,
    packages: {
      '': { name, version: '1.0.0', ...wanted },
      'node_modules/greet': { ...greet.locked, bin: { greet: 'cli.js' } },
      'node_modules/tool': { ...tool.locked, dev: true, bin: { tool: 'cli.js' } },
    },
  }
  return {
    [`${path}/package.json`]: JSON.stringify(manifest),
    [`${path}/package-lock.json`]: JSON.stringify(lock),
    [`${path}/server.js`]: "console.log(require('greet'))\n",
    [`${path}/greet.tgz`]: greet.bytes,
    [`${path}/tool.tgz`]: tool.bytes,
  }
}

function pack(name: string): Tarball {
  const files = {
    'package/package.json': JSON.stringify({ name, version: '1.0.0', bin: { [name]: 'cli.js' } }),
    'package/index.js': `module.exports = 'hello from ${name}'\n`,
    'package/cli.js': `#!/usr/bin/env node\nconsole.log('${name} runs')\n`,
  }
  const entries = Object.entries(files).map(([path, text]) => tarEntry(path, Buffer.from(text)))
  const bytes = gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]))
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
  return { bytes, locked: { version: '1.0.0', resolved: `file:${name}.tgz`, integrity } }
}

/** POSIX ustar: a header of 512 bytes with a checksum over itself, then the content in whole blocks. */
function tarEntry(path: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512)
  const octal = (value: number, length: number): string => `${value.toString(8).padStart(length - 1, '0')}\0`
  const fields: readonly (readonly [at: number, text: string])[] = [
    [0, path],
    [100, octal(0o755, 8)],
    [108, octal(0, 8)],
    [116, octal(0, 8)],
    [124, octal(content.length, 12)],
    [136, octal(0, 12)],
    [148, ' '.repeat(8)],
    [156, '0'],
    [257, 'ustar\x0000'],
  ]
  for (const [at, text] of fields) header.write(text, at, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)])
}
