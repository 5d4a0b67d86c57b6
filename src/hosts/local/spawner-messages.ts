import type { Outcome } from '../host.ts'

/** A command whose secrets are open. It goes over the pipe between two processes of ours and nowhere else. */
export interface PlainCommand {
  readonly program: string
  readonly argv: readonly string[]
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

export type ToSpawner =
  | {
      readonly kind: 'run'
      readonly id: number
      readonly command: PlainCommand
      readonly wantsLines: boolean
      /** It was aborted before it began: nothing is started. */
      readonly aborted: boolean
      readonly timeoutMs?: number
      readonly maxOutputBytes?: number
    }
  | { readonly kind: 'abort'; readonly id: number }

/** The lines of a command come in order, and all of them before its outcome. */
export type FromSpawner =
  | { readonly kind: 'line'; readonly id: number; readonly line: string; readonly stream: 'stdout' | 'stderr' }
  | { readonly kind: 'outcome'; readonly id: number; readonly outcome: Outcome }
