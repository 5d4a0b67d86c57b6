import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { renderUnit } from './unit.ts'

test('the unit of a router', async () => {
  const golden = await readFile(`${import.meta.dirname}/shop-production-router.service`, 'utf8')

  const unit = renderUnit({
    fleet: 'shop',
    environment: 'production',
    root: '/srv/drover/shop/production',
    program: '/usr/sbin/nginx',
    user: 'drover',
  })

  assert.equal(unit, golden)
})
