import { isIP } from 'node:net'
import type { Host } from '../../hosts/host.ts'
import { problem, Refusal, refusal } from '../../problem/problem.ts'
import { LOOPBACK } from '../listens.ts'
import type { Listen } from '../listens.ts'
import { takes } from './listeners.ts'
import type { Listener } from './listeners.ts'

/** One problem for each address and port that somebody else has; `listeners` says who, where that is known. */
export function portsTaken(host: Host, taken: readonly Listen[], listeners: readonly Listener[]): Refusal {
  return new Refusal(
    taken.map(({ service, address, port }) => {
      const holders = listeners.filter((one) => one.port === port && one.pid !== undefined)
      const holder = holders.find((one) => takes(one, address, port)) ?? holders[0]
      const who = holder === undefined ? 'a process of another user' : `${holder.program} (process ${holder.pid})`
      const where = address === LOOPBACK ? '' : ` of ${address}`
      return problem(
        'routers/port-taken',
        `host ${host.name}, service ${service}`,
        `port ${port}${where} is taken by ${who}`,
        `Stop that process, or give ${service} another port in drover.yaml.`,
      )
    }),
  )
}

/** Where nginx says that it cannot listen: because somebody else does, or because the address is not of this host. */
export function failedToListen(said: string, listens: readonly Listen[]): Map<'taken' | 'foreign', Listen[]> {
  const failures = [...said.matchAll(/bind\(\) to (\S+):(\d+) failed \((98|99):/g)].flatMap(
    ([, address = '', port, code]) => {
      const listen = listens.find(
        (one) => one.port === Number(port) && one.address === address.replace(/^\[(.*)\]$/, '$1'),
      )
      return listen === undefined ? [] : [{ listen, kind: code === '98' ? ('taken' as const) : ('foreign' as const) }]
    },
  )
  const found = Map.groupBy(failures, ({ kind }) => kind)
  return new Map([...found].map(([kind, all]) => [kind, [...new Set(all.map(({ listen }) => listen))]]))
}

export function missingProgram(host: Host, program: string): Refusal {
  return refusal(
    'routers/missing-program',
    `host ${host.name}`,
    `${program} is not installed`,
    'Install it with `apt install nginx-light`; Drover runs it in a folder of its own and leaves the one of the system alone.',
  )
}

export function configurationRefused(host: Host, said: string, listens: readonly Listen[]): Refusal {
  const foreign = failedToListen(said, listens).get('foreign') ?? []
  if (foreign.length > 0) return addressesForeign(host, foreign)
  const lines = said.split('\n').filter((line) => line.includes('[emerg]') || line.includes('[alert]'))
  return refusal(
    'routers/refused',
    `host ${host.name}`,
    `nginx refuses the configuration: ${[...new Set(lines.length === 0 ? [said.trim()] : lines)].join('\n')}`,
    'What ran before still runs. Does nginx here know all directives that it names? Drover needs nginx 1.15.8 or newer.',
  )
}

/** A name is no place to listen on: what it means on the host itself is often a loopback address of its own. */
export function refuseNames(host: Host, listens: readonly Listen[]): void {
  const names = listens.filter(({ address }) => isIP(address) === 0)
  if (names.length > 0) throw addressesForeign(host, names)
}

function addressesForeign(host: Host, foreign: readonly Listen[]): Refusal {
  const addresses = [...new Set(foreign.map(({ address }) => address))]
  return new Refusal(
    addresses.map((address) =>
      problem(
        'routers/foreign-address',
        `host ${host.name}`,
        `other hosts are to reach it at ${address}, which is no IP address of its own`,
        `Give the host the \`address\` in drover.yaml that \`ip address\` shows on it and the others can reach.`,
      ),
    ),
  )
}

export function notLoaded(host: Host, said: string, folder: string): Refusal {
  return refusal(
    'routers/not-loaded',
    `host ${host.name}`,
    `nginx has not taken the new shape over: ${said.trim() === '' ? 'no answer within 15 s' : said.trim()}`,
    `What ran before still runs. Is the host under heavy load? The logs are in ${folder}/shapes.`,
  )
}
