import { join } from 'node:path'
import type { Command, Host, Outcome } from '../host.ts'
import { inventories as openInventories } from '../inventory/inventories.ts'
import { compareFolders } from './compare.ts'
import { connection } from './connection.ts'
import type { SshOptions } from './connection.ts'
import { followRemotely } from './follow.ts'
import { probeRemotely } from './probe.ts'
import { relays, runRelayed } from './relayed.ts'
import { runInSession } from './session.ts'
import type { SessionOptions } from './session.ts'
import { slots } from './slots.ts'
import { tunnels } from './tunnel.ts'
import { uploader } from './upload.ts'

/**
 * sshd allows ten sessions on a connection (MaxSessions). The relay has one, and one is left for ending a command; where
 * sshd allows fewer, ssh makes a connection of its own for the one too many, which costs a quarter of a second.
 */
const SESSIONS_AT_ONCE = 8

/** What is fed with more has a session of its own: it need not pass through this process. */
const SMALL_FEED_BYTES = 256 * 1024
const SMALL_FEED_FILES = 256

/**
 * A Linux server over the system's OpenSSH. Needs there: sh, coreutils, findutils, util-linux and perl-base, all
 * of which Debian calls essential. A connection is made at first use, and again after it was lost; a command that was
 * at work then ends as `transport`, and may go on over there.
 */
export function sshHost(options: SshOptions): Host {
  const { name, run: local } = options
  const line = connection(options)
  // A follower stays for hours: a few of them would take all sessions, and no command would find the connection open.
  const lineOfFollowers = connection(options)
  // Of its own too: a tunnel whose far end hears nothing ends its connection.
  const throughTunnels = tunnels(connection(options))
  const ofLine = relays(line)
  const places = slots(SESSIONS_AT_ONCE)
  const { inventories = openInventories(join(options.folder, 'inventories')) } = options
  const uploadAll = uploader({ name, local, remote: run, inventories })

  async function run(command: Command, runOptions: SessionOptions = {}): Promise<Outcome> {
    if (runOptions.standing === true) return runInSession(lineOfFollowers, command, runOptions)
    const has = await places.take(runOptions.signal)
    try {
      const relay = canBeRelayed(runOptions) ? ofLine.take() : undefined
      if (relay !== undefined && (await relay.answers(runOptions.signal)))
        return await runRelayed(relay, command, runOptions)
      return await runInSession(line, command, runOptions)
    } finally {
      ofLine.prepare()
      if (has) places.free()
    }
  }

  return {
    name,
    run,
    probe: (probes, signal) => probeRemotely({ name, run }, probes, signal),
    async upload(folder, target, uploadOptions) {
      const [uploaded] = await uploadAll([{ folder, target }], uploadOptions)
      return uploaded!
    },
    uploadAll,
    compare: (folders, compareOptions) => compareFolders({ name, run }, folders, compareOptions),
    follow: (files, followOptions) =>
      followRemotely(
        { name, run: (command, runOptions) => runInSession(lineOfFollowers, command, runOptions) },
        files,
        followOptions,
      ),
    tunnel: (ends) => throughTunnels.open(ends),
    async close() {
      await ofLine.close()
      await Promise.all([line.close(), lineOfFollowers.close(), throughTunnels.close()])
    },
  }
}

function canBeRelayed({ feed }: SessionOptions): boolean {
  if (feed === undefined) return true
  const bytes = feed.bytes + Buffer.byteLength(feed.text)
  return feed.packer === undefined && feed.files.length <= SMALL_FEED_FILES && bytes <= SMALL_FEED_BYTES
}
