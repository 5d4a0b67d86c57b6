/** The words that were given, of those that could have been. */
export function given(words: readonly (string | undefined)[]): string[] {
  return words.filter((word) => word !== undefined)
}
