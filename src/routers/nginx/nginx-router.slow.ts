import { routerConformance } from '../conformance/conformance.ts'
import { nginxRouter } from './nginx-router.ts'

routerConformance('nginx', () => nginxRouter({ closingMs: 20 }))
