import { builderConformance } from '../conformance.ts'
import { goBuilder } from './builder.ts'

builderConformance('go', goBuilder, {
  files: (word) => ({
    'services/shop/go.mod': 'module example.org/shop\n\ngo 1.19\n',
    'services/shop/src/main.go': `package main\n\nfunc main() { println(${JSON.stringify(word)}) }\n`,
  }),
  hasTools: true,
  withoutStart: {
    files: { 'services/shop/go.mod': 'module example.org/shop\n\ngo 1.19\n' },
    service: { build: 'true' },
  },
})
