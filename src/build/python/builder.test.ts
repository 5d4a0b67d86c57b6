import { builderConformance } from '../conformance.ts'
import { pythonBuilder } from './builder.ts'

builderConformance('python', pythonBuilder, {
  files: (word) => ({
    'services/shop/main.py': 'import word\nprint(word.WORD)\n',
    'services/shop/word.py': `WORD = ${JSON.stringify(word)}\n`,
  }),
  hasTools: true,
  withoutStart: { files: { 'services/shop/lib.py': '' } },
})
