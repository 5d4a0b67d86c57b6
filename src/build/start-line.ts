import { quote } from '../hosts/host.ts'

/**
 * A command line that can stand behind `exec`, which is how a runtime starts a service: the process that is started is
 * then the service itself and gets its signals. What needs a shell (several commands, variables set in front) is
 * handed to one, and a single command in it still replaces it.
 *
 * `bins` are folders, relative to the working folder, whose programs the line may name as if they were on PATH.
 */
export function startLine(line: string, bins: readonly string[] = []): string {
  const text = line.trim()
  if (bins.length === 0 && isSimple(text) && !startsWithVariable(text)) {
    return text
  }
  const path = bins.map((bin) => `"$PWD"/${quote(bin)}:`).join('')
  const set = path === '' ? '' : `PATH=${path}"$PATH"; export PATH; `
  return `sh -c ${quote(set + (isSimple(text) ? withExec(text) : text))}`
}

/** One command, whatever its words: no list, pipe, loop, substitution of commands or second line outside of quotes. */
function isSimple(text: string): boolean {
  const bare = text.replace(/'[^']*'/g, 'q').replace(/"([^"\\$`]|\\.|\$[A-Za-z_{])*"/g, 'q')
  return (
    !/[;&|()<>`\n]|\$\(/.test(bare) && !/^(if|for|while|until|case|exec|cd|export|\{|!|\.|set|trap)(\s|$)/.test(bare)
  )
}

function startsWithVariable(text: string): boolean {
  return /^[A-Za-z_]\w*=/.test(text)
}

/** `A=1 B=2 node x` becomes `A=1 B=2 exec node x`: the variables hold for the program that replaces the shell. */
function withExec(text: string): string {
  const variables = /^(?:[A-Za-z_]\w*=(?:'[^']*'|"[^"]*"|[^\s'"])*\s+)*/.exec(text)?.[0] ?? ''
  return `${variables}exec ${text.slice(variables.length)}`
}
