import { padEnd, widthOf } from './width.ts'

/** Words in lines of at most `width` columns; from the second on they stand under the end of `head`. */
export function hanging(head: string, text: string, width: number): string[] {
  const indent = widthOf(head)
  const room = Math.max(20, width - indent)
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && widthOf(longer) > room) {
      lines.push(line)
      line = word
    } else line = longer
  }
  return [...lines, line].map((each, index) => (index === 0 ? head : padEnd('', indent)) + each)
}
