import { labSshd } from '../../hosts/ssh/lab-sshd.ts'
import { routerConformance } from '../conformance/conformance.ts'
import { nginxRouter } from './nginx-router.ts'

routerConformance(
  'nginx over ssh',
  () => nginxRouter({ closingMs: 20 }),
  async (suite) => (await labSshd(suite)).host(),
)
