import { describe } from 'node:test'
import { localHost } from '../../hosts/local/local-host.ts'
import type { Router } from '../router.ts'
import { failuresConformance } from './failures.ts'
import { peersConformance } from './peers.ts'
import { servingConformance } from './serving.ts'
import { setsConformance } from './sets.ts'
import { shapesConformance } from './shapes.ts'
import { stageFor } from './stage.ts'
import type { HostMaker } from './stage.ts'
import { waitingConformance } from './waiting.ts'

/** What every router promises, tried with real requests on a host whose loopback is this machine's. The tests stand on each other's shoulders. */
export function routerConformance(
  name: string,
  create: () => Router,
  host: HostMaker = () => Promise.resolve(localHost()),
): void {
  describe(`${name} router`, () => {
    const stage = stageFor(create, host)
    servingConformance(stage)
    failuresConformance(stage)
    waitingConformance(stage)
    peersConformance(stage)
    setsConformance(stage)
    shapesConformance(stage)
  })
}
