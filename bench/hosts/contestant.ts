import type { HostStage } from './host-stage.ts'
import type { LabHost } from '../../lab/lab-host.ts'

/** What one command of a tool came to. */
export interface Act {
  readonly exitCode: number
  /** From the command to the moment when the wanted set serves; to the end of the command where a tool cannot say. */
  readonly seconds: number
  /** To the end of the command, where that is later. */
  readonly endSeconds?: number
  /** What of the seconds went into builds on this machine. */
  readonly buildSeconds?: number
  /** The end of what it said, to show when something went another way than expected. */
  readonly said: string
}

/** A way to deploy the fleet to one host. */
export interface Contestant {
  readonly name: string
  /** What counts for nobody: units, nginx, files of configuration. */
  prepare(): Promise<void>
  /** Releases what the branch `production` is at. The first time there is nothing on the host. */
  deploy(): Promise<Act>
  /** Waits until the set before is stopped, for a tool that lets it run for a while. */
  cool?(): Promise<void>
  /** Back to the set before; its processes are stopped already. The branch says so too: its last commit is a revert. */
  rollback(): Promise<Act>
  /** The same while they still run, for a tool that lets them. */
  readonly warm?: WarmRollback
  /** What a person does after a bad release, by the book; absent: nothing is broken, so nothing is to be done. */
  recover?(): Promise<Act>
  /** What has to be cleaned up by hand before the next release can work; counts for nobody, but is noted. */
  cleanUp?(): Promise<void>
  dispose?(): Promise<void>
}

export interface WarmRollback {
  /** Has both sets running, the newer one live. */
  keep(): Promise<void>
  rollback(): Promise<Act>
  /** The set before is stopped. */
  settle(): Promise<void>
}

export interface Setting {
  readonly stage: HostStage
  readonly host: LabHost
}

/** Runs what a tool does and takes its time. */
export async function timed(work: () => Promise<{ exitCode: number; stdout: string; stderr: string }>): Promise<Act> {
  const began = performance.now()
  const { exitCode, stdout, stderr } = await work()
  const seconds = (performance.now() - began) / 1000
  return { exitCode, seconds, said: `${stdout}\n${stderr}`.trim().split('\n').slice(-25).join('\n') }
}
