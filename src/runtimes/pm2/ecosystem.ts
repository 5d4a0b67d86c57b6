import type { SlotRef } from '../runtime.ts'
import { HALT, slotFiles } from './slot-files.ts'

/** The name under which PM2 knows a slot. */
export function appName({ service, slot }: SlotRef): string {
  return `${service}.${slot}`
}

/**
 * What PM2 is told of its slots, for `pm2 start` and `pm2 delete`. It says nothing of the spec: the launcher does, so
 * that PM2, which keeps what it was told first, cannot start an old spec. A slot that ends is started again after
 * 0.03 s, then later and later up to 15 s, until the launcher says halt.
 */
export function renderEcosystem(root: string, slots: readonly (SlotRef & { readonly drainMs: number })[]): string {
  const apps = slots.map((slot) => {
    const files = slotFiles(root, slot)
    return {
      name: appName(slot),
      // The launcher is an argument: PM2 breaks the path of a script at its blanks.
      script: '/bin/sh',
      args: [files.run],
      interpreter: 'none',
      cwd: files.folder,
      out_file: '/dev/null',
      error_file: '/dev/null',
      // Not for us: without it PM2 keeps its own under names that only grow.
      pid_file: `${files.folder}/pm2-pid`,
      autorestart: true,
      exp_backoff_restart_delay: 30,
      stop_exit_codes: [HALT],
      kill_timeout: Math.max(slot.drainMs, 100),
      treekill: true,
      pmx: false,
      vizion: false,
      automation: false,
    }
  })
  return `${JSON.stringify({ apps }, undefined, 1)}\n`
}
