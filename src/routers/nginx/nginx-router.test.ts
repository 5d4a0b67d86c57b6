import { routerConformance } from '../conformance.ts'
import { nginxRouter } from './nginx-router.ts'

routerConformance('nginx', () => nginxRouter())
