import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { Refusal } from '../problem/problem.ts'
import { addHost } from './add-host.ts'

const REST = `# The shop.
fleet: pakashop

# Where it runs.
environments:
  production: { branch: production,   hosts: [ web ] } # not aligned on purpose
services:
  gateway: { port: 8000 }
`

describe('a host is added to a manifest', () => {
  it('without hosts, above the remarks on environments', () => {
    const text = addHost(REST, 'web-1', { ssh: 'drover@10.0.0.1' })

    assert.equal(text, REST.replace('# Where it runs.', 'hosts:\n  web-1: drover@10.0.0.1\n\n# Where it runs.'))
  })

  const layouts: [name: string, before: string, after: string][] = [
    [
      'after the last of its kind, with its indentation and remarks',
      'hosts:\n    a: x@a # first\n    b: x@b   # second\n\n# next\n',
      'hosts:\n    a: x@a # first\n    b: x@b   # second\n    web-1: { ssh: drover@h, labels: [web] }\n\n# next\n',
    ],
    [
      'after a mapping of several lines',
      'hosts:\n  a:\n    ssh: x@a\n    labels:\n      - web\n',
      'hosts:\n  a:\n    ssh: x@a\n    labels:\n      - web\n  web-1: { ssh: drover@h, labels: [web] }\n',
    ],
    ['where nothing stands yet', 'hosts:\n', 'hosts:\n  web-1: { ssh: drover@h, labels: [web] }\n'],
    [
      'where nothing stands yet but a remark',
      'hosts: # ours\n',
      'hosts: # ours\n  web-1: { ssh: drover@h, labels: [web] }\n',
    ],
    [
      'without a line break at the end',
      'hosts:\n  a: x@a',
      'hosts:\n  a: x@a\n  web-1: { ssh: drover@h, labels: [web] }\n',
    ],
    [
      'with the line breaks of the file',
      'hosts:\r\n  a: x@a\r\nfleet: f\r\n',
      'hosts:\r\n  a: x@a\r\n  web-1: { ssh: drover@h, labels: [web] }\r\nfleet: f\r\n',
    ],
  ]
  for (const [name, before, after] of layouts) {
    it(name, () => {
      assert.equal(addHost(before, 'web-1', { ssh: 'drover@h', labels: ['web'] }), after)
    })
  }

  it('in braces, with the remarks of the rest', () => {
    const text = addHost(`hosts: { a: x@a }\n${REST}`, 'web-1', { ssh: 'drover@h' })

    assert.deepEqual(parse(text), {
      ...(parse(REST) as object),
      hosts: { a: 'x@a', 'web-1': 'drover@h' },
    })
    assert.match(text, /# The shop\.[^]*# not aligned on purpose/)
  })

  it('with all there is to say, quoted where it must be', () => {
    const entry = { ssh: 'drover@fe80::1', port: 2222, address: '10.0.0.1', labels: ['web', 'edge'] }

    const text = addHost(REST, 'web-1', entry)

    assert.deepEqual((parse(text) as { hosts: unknown }).hosts, { 'web-1': entry })
  })

  it('that is there already, is refused; so is what is no manifest', () => {
    const refused = (text: string): string => {
      try {
        addHost(text, 'a', { ssh: 'x@a' })
      } catch (error) {
        if (error instanceof Refusal) return error.problems[0]!.code
      }
      return 'nothing'
    }

    assert.equal(refused('hosts:\n  a: x@a\n'), 'manifest/host-exists')
    assert.equal(refused('hosts: [\n'), 'manifest/not-yaml')
    assert.equal(refused('- a\n'), 'manifest/not-yaml')
  })
})
