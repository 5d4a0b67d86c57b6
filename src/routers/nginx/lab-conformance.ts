import assert from 'node:assert/strict'
import { env } from 'node:process'
import { asHost } from '../../../lab/as-host.ts'
import type { LabAddress } from '../../../lab/as-host.ts'
import { DEPLOY_USER } from '../../../lab/ready-host.ts'
import { routerConformance } from '../conformance/conformance.ts'
import { nginxRouter } from './nginx-router.ts'

/** Run by on-lab-host.slow.ts in the network of a host of the lab, whose loopback the slots and clients share then. */
const { LAB_HOST: machine } = env
assert.ok(machine !== undefined)
const place: LabAddress = JSON.parse(machine)

routerConformance(
  'nginx on a host of the lab',
  () => nginxRouter({ closingMs: 20 }),
  async (suite) => {
    const host = await asHost(place, DEPLOY_USER)
    suite.after(() => host.close())
    return host
  },
)
