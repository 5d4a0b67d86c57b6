/**
 * Lets a workflow's body do one recorded thing at a time (rule E1). Records are found again by position, so two at
 * once would be swapped by a replay, with wrong results and no error; here it is an error at once.
 */
export class Turnstile {
  #inside: string | undefined

  async pass<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#inside !== undefined) {
      throw new Error(`${what} was begun while ${this.#inside} is under way: a body runs one step at a time, use graph`)
    }
    this.#inside = what
    try {
      return await work()
    } finally {
      this.#inside = undefined
    }
  }
}
