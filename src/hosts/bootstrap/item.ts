import type { Operation } from '../operation.ts'
import type { HostNeeds } from './needs.ts'
import type { HostState } from './state.ts'

/** One thing that a host needs. */
export interface Item {
  /** One word: `helper`. */
  readonly name: string
  /** `add`: it is not there. `change`: it is there, but not as it should be. `cannot`: nothing can be done about it from here. */
  readonly sign: 'add' | 'change' | 'same' | 'cannot'
  readonly what: string
  /** What it is good for, or what is wrong with what is there. */
  readonly why?: string
  /** What a person can do about it; with `cannot` only. */
  readonly hint?: string
}

/** An item with what puts it right, as root, in order. Each may be carried out again after having been cut off. */
export interface Work extends Item {
  readonly operations: readonly Operation[]
  /** A folder of this machine that has to be on the host first, where who logs in may write. */
  readonly upload?: { readonly folder: string; readonly target: string }
  /** How long it may take; a minute unless it says otherwise. */
  readonly timeoutMs?: number
}

/** Compares what a host needs with what it is; pure. */
export type Judge = (needs: HostNeeds, state: HostState) => Work

export function same(name: string, what: string): Work {
  return { name, sign: 'same', what, operations: [] }
}

export function cannot(item: Omit<Item, 'sign'> & { readonly hint: string }): Work {
  return { ...item, sign: 'cannot', operations: [] }
}
