import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withoutLiterals } from './without-literals.ts'

const cases: readonly (readonly [query: string, shown: string])[] = [
  [`select * from users where email = 'a@b.de' and age > 42`, 'select * from users where email = ? and age > ?'],
  [`select 'it''s private', x from t`, 'select ?, x from t'],
  [String.raw`select E'it\'s private', x from t`, 'select ?, x from t'],
  [`select U&'private', b'01', X'ff', n'private' from t`, 'select ?, ?, ?, ? from t'],
  [`do $$ begin private(); end $$`, 'do ?'],
  [`do $body$ a $$ private $$ b $body$ language plpgsql`, 'do ? language plpgsql'],
  [`select $1, $2::text from t1 where c2 = 3`, 'select $1, $2::text from t1 where c2 = ?'],
  [`select 1.5, .5, 1e-9, 0xff, 1_000 from t`, 'select ?, ?, ?, ?, ? from t'],
  [`update "user's 1 table" set "a""b" = 'private'`, `update "user's 1 table" set "a""b" = ?`],
  [`select 1 -- private\n+ /* private\n */ a`, 'select ? + a'],
  [`select 'cut in the middle of a priv`, 'select ?'],
  [`select $tag$cut in the middle of a priv`, 'select ?'],
  [`select a /* cut priv`, 'select a'],
  [`select 'C:\\', 'private'`, 'select ?, ?'],
  [`insert into t values ('1', 'private'), ('2', 'private')`, 'insert into t values (?, ?), (?, ?)'],
  [`select größe from maße where ä1 = 'privat'`, 'select größe from maße where ä1 = ?'],
]

describe('a query without literals', () => {
  for (const [query, shown] of cases) {
    it(shown, () => assert.equal(withoutLiterals(query), shown))
  }
})
