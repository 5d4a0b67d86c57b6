import { routerConformance } from '../conformance.ts'
import { memoryRouter } from './memory-router.ts'

routerConformance('memory', memoryRouter)
