import { hostConformance } from '../conformance.ts'
import { labSshd } from './lab-sshd.ts'

hostConformance('host over ssh', async (t) => (await labSshd(t)).host())
