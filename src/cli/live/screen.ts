import type { ReleaseDocument } from '../../release/documents.ts'
import type { ReleaseEvent } from '../../release/records.ts'
import type { Cli } from '../cli.ts'
import { oneLine } from '../text/width.ts'
import { frame } from './frame.ts'
import { plainLines } from './plain.ts'
import type { ReleaseView } from './state.ts'
import { summary } from './summary.ts'

/** Where a release is shown while it goes on. */
export interface Screen {
  /** @param before the view before the event */
  event(view: ReleaseView, event: ReleaseEvent, before: ReleaseView): void
  /** Something between this program and the control plane. */
  say(view: ReleaseView, text: string): void
  /** The release has ended. */
  end(view: ReleaseView, release: ReleaseDocument): void
  /** Stops showing, whether it has ended or not. */
  close(): void
}

export async function openScreen(cli: Cli, view: ReleaseView): Promise<Screen> {
  if (cli.json) return jsonScreen(cli)
  return cli.stdout.isTTY === true && !cli.quiet && cli.env['TERM'] !== 'dumb'
    ? terminalScreen(cli, view)
    : plainScreen(cli, view)
}

/** A line of JSON for each event, and the release as the last one. */
function jsonScreen(cli: Cli): Screen {
  return {
    event: (_view, event) => cli.document({ event }),
    say: (_view, text) => cli.note(text),
    end: (_view, release) => cli.document({ release }),
    close: () => {},
  }
}

function plainScreen(cli: Cli, first: ReleaseView): Screen {
  const print = (text: string): void => {
    if (!cli.quiet) cli.print(text)
  }
  print(`release ${first.number} of ${first.fleet}/${first.environment}, asked for by ${oneLine(first.actor)}`)
  return {
    event: (_view, event, before) => {
      for (const line of plainLines(before, event, cli)) print(line)
    },
    say: (_view, text) => cli.note(text),
    end: (view, release) => cli.print(summary(view, release, { width: cli.width, paints: cli.paint })),
    close: () => {},
  }
}

const FRAME_MS = 100

/** A picture that is redrawn at most ten times a second. */
async function terminalScreen(cli: Cli, first: ReleaseView): Promise<Screen> {
  const { createLogUpdate } = await import('log-update')
  const { stdout, colour } = cli
  const update = createLogUpdate(stdout)
  let view = first
  let tick = 0
  const draw = (height = stdout.rows ?? 24): void => {
    update(
      frame(view, { width: stdout.columns ?? 80, height, tick, now: Math.max(Date.now(), view.requestedAt), colour }),
    )
  }
  const timer = setInterval(() => {
    tick++
    draw()
  }, FRAME_MS)
  draw()
  let open = true
  const close = (): void => {
    if (!open) return
    open = false
    clearInterval(timer)
    update.done()
  }
  return {
    event: (now) => {
      view = now
    },
    say: (now) => {
      view = now
      // Takes away the ^C that the terminal has written below the picture.
      update.clear()
      draw()
    },
    end: (now, release) => {
      view = now
      update.clear()
      close()
      // The whole of it this time: what has scrolled away can be scrolled back to.
      const at = release.endedAt ?? Date.now()
      cli.print(frame(view, { width: stdout.columns ?? 80, height: Number.MAX_SAFE_INTEGER, tick, now: at, colour }))
      cli.print(`\n${summary(view, release, { width: stdout.columns ?? 80, paints: cli.paint })}`)
    },
    close,
  }
}
