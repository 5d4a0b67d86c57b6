import { after, before, describe } from 'node:test'
import { whatIsMissing } from '../../../lab/needs.ts'
import { runtimeConformance } from '../conformance.ts'
import { openLabSystemd, systemdBench } from './systemd-bench.ts'
import type { LabSystemd } from './systemd-bench.ts'

const missing = await whatIsMissing()
const skip = missing.length > 0 ? `the lab cannot run: ${missing.join('; ')}` : false

describe('systemd on a host of the lab', { skip }, () => {
  let lab: LabSystemd
  before(async () => {
    lab = await openLabSystemd()
  })
  after(() => lab?.close())

  runtimeConformance('systemd', (t) => systemdBench(t, lab))
})
