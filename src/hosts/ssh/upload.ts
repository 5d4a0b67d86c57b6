import { refusal } from '../../problem/problem.ts'
import type { Refusal } from '../../problem/problem.ts'
import type { Command, Host, Outcome, Uploaded } from '../host.ts'
import type { SessionOptions } from './session.ts'

const TIMEOUT_MS = 30 * 60_000

/** Names, kinds, modes, link targets and contents of a tree as one number; needs GNU find, as every Linux server has. */
const DIGEST = `digest() (
  cd -- "$1" && {
    find . -printf '%y %m %P %l\\0' | LC_ALL=C sort -z
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum --
  } | sha256sum | cut -d ' ' -f 1
)`

/**
 * Unpacks its input beside the target, compares and renames. Of two that lay the same, one renames. A part is locked by
 * the one that fills it, so one that can be locked is of an upload that died; the gate makes new ones safe meanwhile.
 */
const RECEIVE = `${DIGEST}
target=$1 expected=$2
parent=$(dirname -- "$target") name=$(basename -- "$target")
mkdir -p -- "$parent" && exec 8<"$parent" && flock 8 || exit 1
for old in "$parent/.$name.part-"*; do
  [ ! -d "$old" ] || flock -n "$old" rm -rf -- "$old"
done
part=$parent/.$name.part-$$
mkdir -m 700 -- "$part" && exec 9<"$part" && flock -n 9 || exit 1
trap 'rm -rf -- "$part"' EXIT
trap 'exit 143' HUP INT TERM
exec 8<&-
tar --no-same-owner -C "$part" -xpf - || exit 1
found=$(digest "$part")
[ "$found" = "$expected" ] || { printf 'altered\\n'; exit 1; }
bytes=$(du -sb -- "$part" | cut -f 1)
exec 8<"$parent" && flock 8 || exit 1
if [ -e "$target" ]; then printf 'skipped\\n'; exit 0; fi
sync -f -- "$part" && mv -T -- "$part" "$target" && printf 'laid %s\\n' "$bytes"`

export interface UploadPort {
  readonly name: string
  /** On this machine. */
  readonly local: Host['run']
  /** On the host. */
  readonly remote: (command: Command, options: SessionOptions) => Promise<Outcome>
}

/** Lays a folder of this machine on the host as a tar stream, verified by content on arrival. */
export async function uploadRemotely(
  port: UploadPort,
  paths: { readonly folder: string; readonly target: string },
  signal?: AbortSignal,
): Promise<Uploaded> {
  const options = { timeoutMs: TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) }
  const there = await port.remote({ program: 'test', argv: ['-e', paths.target] }, options)
  if (there.ok) return { bytes: 0, sent: 0, skipped: true }
  if (there.failure !== 'exit') throw failed(port.name, paths.target, there)
  const digest = await digestOf(port.local, paths.folder, options)
  const laid = await port.remote(
    {
      program: 'sh',
      argv: ['-c', RECEIVE, 'upload', paths.target, digest],
      summary: `receive ${paths.target}`,
    },
    { ...options, feed: paths.folder },
  )
  if (laid.ok && laid.stdout === 'skipped\n') return { bytes: 0, sent: 0, skipped: true }
  const bytes = /^laid (\d+)$/m.exec(laid.stdout)?.[1]
  if (!laid.ok || bytes === undefined) throw failed(port.name, paths.target, laid)
  return { bytes: Number(bytes), sent: Number(bytes), skipped: false }
}

async function digestOf(local: Host['run'], folder: string, options: SessionOptions): Promise<string> {
  const script = `${DIGEST}\n[ -d "$1" ] && digest "$1"`
  const outcome = await local({ program: 'sh', argv: ['-c', script, 'digest', folder] }, options)
  const digest = outcome.stdout.trim()
  if (!outcome.ok || !/^[0-9a-f]{64}$/.test(digest) || outcome.stderr !== '') {
    const why = outcome.stderr.trim() === '' ? 'no such folder' : outcome.stderr.trim()
    throw refusal('hosts/upload', folder, `cannot be read: ${why}`, 'Was it built, and may Drover read all of it?')
  }
  return digest
}

function failed(name: string, target: string, { failure, stdout, stderr }: Outcome): Refusal {
  const at = `host ${name}, ${target}`
  if (stdout.startsWith('altered')) {
    return refusal(
      'hosts/upload-altered',
      at,
      'what arrived is not what was sent',
      'Nothing was laid. Was the folder changed meanwhile? If not, the disk or the memory of one side is at fault.',
    )
  }
  const said = stderr.trim().split('\n').slice(-3).join('; ')
  // A tar that could write a part of a block says how much, and not why the rest was refused.
  if (/No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes/.test(stderr)) {
    return refusal(
      'hosts/disk-full',
      at,
      `could not be laid: ${said}`,
      'Free space or inodes on the host, then release again.',
    )
  }
  const why = failure === 'exit' || failure === undefined ? said : `${failure}${said === '' ? '' : `: ${said}`}`
  return refusal('hosts/upload', at, `could not be laid: ${why}`, 'May Drover write to the target folder there?')
}
