import type { Command } from 'commander'
import { usage } from '../cli.ts'
import type { Cli } from '../cli.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { findManifest, findOutline } from '../manifest-file.ts'

/** The scripts only ask `drover complete`; what there is to complete stands in one place. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# eval "$(drover completion bash)"
_drover() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(drover complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _drover drover`,
  zsh: `# eval "$(drover completion zsh)"
_drover() {
  local -a found
  found=(\${(f)"$(drover complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -a found
}
compdef _drover drover`,
  fish: `# drover completion fish | source
complete -c drover -f -a '(drover complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'`,
}

/** What makes a shell complete the words of this program. */
export async function completion(cli: Cli, shell: string): Promise<ExitCode> {
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined
  if (script === undefined)
    throw usage('drover completion', `does not know the shell ${JSON.stringify(shell)}`, 'It knows bash, zsh and fish.')
  if (cli.json) cli.document({ shell, script })
  else cli.print(script)
  return EXIT.done
}

/** What may stand where the last of the words is being typed, one per line. */
export async function complete(cli: Cli, program: Command, words: readonly string[]): Promise<ExitCode> {
  const found = await candidates(cli, program, words)
  const typed = words.at(-1) ?? ''
  const fitting = [...new Set(found)].filter((candidate) => candidate.startsWith(typed)).sort()
  if (cli.json) cli.document({ candidates: fitting })
  else if (fitting.length > 0) cli.print(fitting.join('\n'))
  return EXIT.done
}

async function candidates(cli: Cli, program: Command, words: readonly string[]): Promise<string[]> {
  const before = words.slice(0, -1).filter((word) => !word.startsWith('-'))
  const [command, taken] = commandOf(program, before)
  if (words.at(-1)?.startsWith('-') === true) return optionsOf(command === undefined ? [program] : [command, program])
  if (command === undefined) return before.length === 0 ? commandNames(program) : []
  if (command.commands.length > 0) return before.length === taken ? commandNames(command) : []
  if (command.name() === 'completion') return Object.keys(SCRIPTS)
  const first = command.registeredArguments[0]?.name()
  const named = ['-e', '--environment'].includes(words.at(-2) ?? '')
  return named || (first === 'environment' && before.length === taken)
    ? environmentNames(cli)
    : first === 'names'
      ? hostNames(cli)
      : []
}

/** The command that the words name, which may be one of a group, and how many of them it takes. */
function commandOf(program: Command, words: readonly string[]): [command: Command | undefined, taken: number] {
  const outer = program.commands.find((each) => each.name() === words[0])
  const inner = outer?.commands.find((each) => each.name() === words[1])
  return inner === undefined ? [outer, 1] : [inner, 2]
}

function commandNames(program: Command): string[] {
  const help = program.createHelp()
  return help.visibleCommands(program).map((command) => command.name())
}

function optionsOf(commands: readonly Command[]): string[] {
  return commands.flatMap((command) =>
    command
      .createHelp()
      .visibleOptions(command)
      .flatMap(({ long, short }) => [long, short].filter((flag) => flag != null)),
  )
}

async function hostNames(cli: Cli): Promise<string[]> {
  return (await findManifest(cli))?.fleet?.hosts.map(({ name }) => name) ?? []
}

async function environmentNames(cli: Cli): Promise<string[]> {
  const outline = await findOutline(cli)
  return outline?.environments.map(({ environment }) => environment) ?? []
}
