import { routerConformance } from '../conformance/conformance.ts'
import { memoryRouter } from './memory-router.ts'

routerConformance('memory', memoryRouter)
