#!/usr/bin/env node
// Prisma's schema engine for machines that cannot download the real one: the engine's own WASM build behind the same command line
// and the same JSON-RPC over stdin and stdout. PostgreSQL only. Used by PRISMA_SCHEMA_ENGINE_BINARY=<this file>.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils'
import pg from 'pg'
import { adapterFactory } from './adapter.js'

const { datamodels, url, checksConnection } = parseArguments(process.argv.slice(2))
if (checksConnection) await checkConnection()
else await serve()
process.exit()

function parseArguments(argv) {
  const parsed = { datamodels: [], url: process.env.DATABASE_URL, checksConnection: false }
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--datamodels') parsed.datamodels.push([argv[++i], readFileSync(argv[i], 'utf8')])
    else if (argv[i] === '--datasource') parsed.url = JSON.parse(argv[++i]).url ?? parsed.url
    else if (argv[i] === 'cli') parsed.checksConnection = true
  }
  return parsed
}

async function checkConnection() {
  const client = new pg.Client({ connectionString: url })
  try {
    await client.connect()
    await client.end()
    log('INFO', { message: 'Connection successful' }, 'schema_engine')
  } catch (error) {
    log('ERROR', { error_code: 'P1001', message: String(error.message) }, 'schema_engine::logger')
    process.exitCode = 1
  }
}

async function serve() {
  const pool = new pg.Pool({ connectionString: url, max: 1 }) // One connection, so that the session's advisory lock holds.
  const factory = bindMigrationAwareSqlAdapterFactory(adapterFactory(pool))
  const bindings = await instantiate()
  const engine = await bindings.SchemaEngine.new({ datamodels }, (line) => process.stderr.write(`${line}\n`), factory)
  for await (const line of createInterface({ input: process.stdin })) {
    if (!line.trim()) continue
    const { id, method, params } = JSON.parse(line)
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...(await reply(method, params)) })}\n`)
  }
  await pool.end()

  async function reply(method, params) {
    try {
      return { result: (await engine[method](params)) ?? null }
    } catch (error) {
      return { error: describe(causeOf(error, factory)) }
    }
  }
}

async function instantiate() {
  const bindings = await import('@prisma/schema-engine-wasm/schema_engine_bg')
  const script = createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm')
  const wasm = readFileSync(script.replace(/schema_engine\.js$/, 'schema_engine_bg.wasm'))
  globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => console.error(message) }
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': bindings })
  bindings.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()
  return bindings
}

/** Errors of the database cross the WASM border as a number; the factory remembers what they were. */
function causeOf(error, factory) {
  if (typeof error?.id !== 'number') return error
  return factory.errorRegistry?.consumeError?.(error.id)?.error ?? error
}

function describe(error) {
  const data = {
    is_panic: false,
    message: error?.message ?? String(error),
    error_code: error?.code ?? null,
    meta: error?.meta ?? null,
    backtrace: null,
  }
  return { code: 4466, message: 'An error happened. Check the data field for details.', data }
}

function log(level, fields, target) {
  process.stderr.write(`${JSON.stringify({ timestamp: new Date().toISOString(), level, fields, target })}\n`)
}
