import { builderConformance } from '../conformance.ts'
import { nodeBuilder } from './builder.ts'

builderConformance('node', nodeBuilder, {
  files: (word) => ({
    'services/shop/package.json': JSON.stringify({ name: 'shop', scripts: { start: 'node server.js' } }),
    'services/shop/server.js': `console.log(${JSON.stringify(word)})\n`,
  }),
  hasTools: true,
  withoutStart: { files: { 'services/shop/package.json': '{}' } },
})
