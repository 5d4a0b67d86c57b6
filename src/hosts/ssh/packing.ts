/** Sending so little is faster than starting a packer. */
const WORTH_PACKING_BYTES = 256 * 1024
/** Bytes per millisecond of a line; a faster one carries contents as soon as they are packed, and the processors are free. */
const FASTEST_WORTH_PACKING = { zstd: 20_000, gzip: 8_000 } as const

export type Packer = keyof typeof FASTEST_WORTH_PACKING

/**
 * Whether contents arrive sooner when they are packed: seldom in a data centre, and always over a slow line. `pace` is what
 * the line carried in earlier uploads, in bytes per millisecond, undefined before the first; so that one is not packed.
 */
export function isWorthPacking(bytes: number, pace: number | undefined, packer: Packer): boolean {
  return bytes >= WORTH_PACKING_BYTES && pace !== undefined && pace < FASTEST_WORTH_PACKING[packer]
}
