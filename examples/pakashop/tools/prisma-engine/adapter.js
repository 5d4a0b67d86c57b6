import { PrismaPg } from '@prisma/adapter-pg'

// PostgreSQL's types "char" and name, which the adapter does not map (prisma/orm#27403), and text, which it does.
const UNMAPPED = new Set([18, 19])
const TEXT = 25

/** PrismaPg over this pool, with the two things corrected that stand in the way of migrations. */
export function adapterFactory(pool) {
  const runScript = pool.query.bind(pool)
  const connect = pool.connect.bind(pool)
  pool.connect = (callback) => (callback ? connect(callback) : connect().then(mapTypes))
  mapTypes(pool)
  const factory = new PrismaPg(pool)
  const open = factory.connect.bind(factory)
  factory.connect = async () => {
    const adapter = await open()
    // The adapter's own splits at every semicolon, which breaks function bodies and leaves half a migration behind.
    adapter.executeScript = (script) =>
      runScript(script).then(
        () => {},
        (error) => adapter.onError(error),
      )
    return adapter
  }
  return factory
}

function mapTypes(queryable) {
  if (queryable.mapsTypes) return queryable
  const query = queryable.query.bind(queryable)
  queryable.mapsTypes = true
  queryable.query = async (...parameters) => {
    const result = await query(...parameters)
    for (const field of result?.fields ?? []) if (UNMAPPED.has(field.dataTypeID)) field.dataTypeID = TEXT
    return result
  }
  return queryable
}
