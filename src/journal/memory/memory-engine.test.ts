import { engineConformance } from '../conformance.ts'
import { memoryEngine } from './memory-engine.ts'

engineConformance('memory', async () => memoryEngine())
