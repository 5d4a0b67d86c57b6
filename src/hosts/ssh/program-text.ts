import { readFileSync } from 'node:fs'

/** The text of a program beside this file, for `perl -e`, with the functions of laid.pl before it. */
export function programText(name: 'ask' | 'compare' | 'receive'): string {
  return read('laid') + read(name)
}

function read(name: string): string {
  return readFileSync(new URL(`${name}.pl`, import.meta.url), 'utf8')
}
