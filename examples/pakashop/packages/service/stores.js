/** PostgreSQL by DATABASE_URL; `pg` is the service's own copy of the driver. */
export function postgres(pg) {
  // Two sets of nineteen services must fit in the 100 connections of a PostgreSQL that nobody has tuned.
  const pool = new pg.Pool({
    connectionString: process.env.DATABASE_URL,
    max: 2,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 10_000,
  })
  pool.on('error', (error) => console.error(`postgres: ${error.message}`))
  const query = async (text, values) => (await pool.query(text, values)).rows
  return {
    query,
    /** First row, or undefined. */
    one: async (text, values) => (await query(text, values))[0],
    /** Runs `work(client)` in one transaction. */
    async transaction(work) {
      const client = await pool.connect()
      try {
        await client.query('BEGIN')
        const result = await work(client)
        await client.query('COMMIT')
        return result
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {})
        throw error
      } finally {
        client.release()
      }
    },
    check: async () => void (await query('SELECT 1')),
    close: () => pool.end(),
  }
}

/** Redis by REDIS_URL; `Redis` is the service's own copy of ioredis. */
export function redis(Redis) {
  const client = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: 2, connectTimeout: 5_000 })
  client.on('error', (error) => console.error(`redis: ${error.message || error.code}`))
  return {
    client,
    check: async () => void (await client.ping()),
    close: async () => client.disconnect(),
  }
}
