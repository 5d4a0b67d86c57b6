import { styleText } from 'node:util'

/** Colours, or the text as it is. Decided once, from the terminal and the person's wish, and handed down. */
export interface Paint {
  bold(this: void, text: string): string
  dim(this: void, text: string): string
  red(this: void, text: string): string
  green(this: void, text: string): string
  yellow(this: void, text: string): string
  cyan(this: void, text: string): string
}

export function paint(colour: boolean): Paint {
  const styled = (style: keyof Paint) => (text: string) =>
    colour && text !== '' ? styleText(style, text, { validateStream: false }) : text
  return {
    bold: styled('bold'),
    dim: styled('dim'),
    red: styled('red'),
    green: styled('green'),
    yellow: styled('yellow'),
    cyan: styled('cyan'),
  }
}
