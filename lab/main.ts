import { Refusal } from '../src/problem/problem.ts'
import { foundLab, openLab, sweepLabs } from './lab.ts'
import type { Lab } from './lab.ts'
import type { LabHost } from './lab-host.ts'
import { sshConfig } from './ssh-config.ts'

const USAGE = `make lab ARGS="<command>"

  up <n>             boot n hosts: real systemd, sshd and nginx, no way out
  status             the hosts, and how to log in
  reset <host>       back to a bare server
  cut <host>         drop everything from and to the host; "heal" ends it
  heal <host>
  slow <host> [delay ms] [kbit/s] [loss %]    without numbers: fast again
  fill <host> [bytes left]                    fill the disk; "free" ends it
  free <host>
  reboot <host>      in good order
  power-off <host>   at once, as a cut of the power
  power-on <host>
  down               remove all of it
`

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const ON_HOST: Readonly<Record<string, (host: LabHost, numbers: readonly number[]) => Promise<void>>> = {
  reset: (host) => host.reset(),
  cut: (host) => host.networkCut(),
  heal: (host) => host.networkHeal(),
  slow: (host, [delayMs, kbps, lossPercent]) =>
    host.slowLine(delayMs === undefined ? undefined : { delayMs, kbps: kbps ?? 0, lossPercent: lossPercent ?? 0 }),
  fill: (host, [leave]) => host.fillDisk(leave ?? 0),
  free: (host) => host.freeDisk(),
  reboot: (host) => host.reboot(),
  'power-off': (host) => host.powerCut(),
  'power-on': (host) => host.powerOn(),
}

/** Gives the exit code: 0 done, 1 declined, 2 asked wrongly. */
async function main([command = '', ...args]: readonly string[]): Promise<number> {
  const work = ON_HOST[command]
  if (work !== undefined) return onHost(work, args)
  if (command === 'up') return up(Number(args[0]))
  if (command === 'status') return status()
  if (command === 'down') {
    await (await foundLab())?.close()
    await sweepLabs()
    return 0
  }
  process.stdout.write(USAGE)
  return command === '' || command === 'help' ? 0 : 2
}

async function up(hosts: number): Promise<number> {
  if (!Number.isInteger(hosts) || hosts < 1 || hosts > 9) {
    say('how many hosts, from 1 to 9?')
    return 2
  }
  if ((await foundLab()) !== undefined) {
    say('a lab is up already; "down" removes it')
    return 1
  }
  print(await openLab({ hosts, owner: 'up', say }))
  return 0
}

async function status(): Promise<number> {
  const lab = await foundLab()
  if (lab === undefined) {
    say('no lab is up')
    return 1
  }
  for (const host of lab.hosts) {
    const { power, network } = await host.state()
    say(`${host.name}: power ${power}, network ${network}`)
  }
  print(lab)
  return 0
}

async function onHost(work: (typeof ON_HOST)[string], [name, ...numbers]: readonly string[]): Promise<number> {
  const lab = await foundLab()
  const host = lab?.hosts.find((each) => each.name === name)
  if (host === undefined) {
    say(lab === undefined ? 'no lab is up' : `which host? There are ${lab.hosts.map((each) => each.name).join(', ')}`)
    return 2
  }
  await work(host, numbers.map(Number))
  return 0
}

function print(lab: Lab): void {
  say(`hosts reach this machine at ${lab.address}`)
  for (const { name } of lab.hosts) say(`ssh -F ${sshConfig(lab)} ${name}`)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Refusal)) throw error
  say(error.message)
  process.exitCode = 1
}
