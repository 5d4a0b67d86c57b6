import { hostConformance } from '../conformance.ts'
import { labSshd, relayed } from './lab-sshd.ts'

hostConformance('host over ssh', async (t) => (await labSshd(t)).host())
hostConformance('host over ssh, through its relay', async (t) => relayed((await labSshd(t)).host()))
