import { builderConformance } from '../conformance.ts'
import { commandBuilder } from './builder.ts'

builderConformance('command', commandBuilder, {
  files: (word) => ({ 'services/shop/run.sh': { program: `#!/bin/sh\necho ${word}\n` } }),
  service: { start: './run.sh' },
  hasTools: false,
  withoutStart: { files: { 'services/shop/x': '' } },
})
