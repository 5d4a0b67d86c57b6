// Tells PM2 to do several things, one after the other, with one load of its modules: a call of its command line costs
// twice as much, and each thing needs a call of its own.
//
//   node call.cjs <pm2 program> (start|delete <file that names slots> | remove <file>)...
const { spawnSync } = require('node:child_process')
const { existsSync, readFileSync, realpathSync, rmSync } = require('node:fs')
const { join } = require('node:path')

const [program, ...words] = process.argv.slice(1)
const calls = []
for (let index = 0; index < words.length; index += 2) calls.push([words[index], words[index + 1]])

const found = packageOf(program)
if (found === undefined) byCommandLine()
else byModule(require(found))

// The package that the program on the PATH belongs to; none when it is a wrapper of somebody's own.
function packageOf(name) {
  const places = name.includes('/') ? [name] : process.env.PATH.split(':').map((folder) => join(folder, name))
  const file = places.find((place) => existsSync(place))
  if (file === undefined) return undefined
  const folder = join(realpathSync(file), '../..')
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name === 'pm2' ? folder : undefined
  } catch {
    return undefined
  }
}

function byModule(pm2) {
  pm2.connect((error) => {
    if (error) fail('connect', error)
    next()
  })
  function next() {
    const call = calls.shift()
    if (call === undefined) return pm2.disconnect(() => process.exit(0))
    const [verb, file] = call
    if (verb === 'remove') {
      rmSync(file, { force: true })
      return next()
    }
    pm2[verb](file, (error) => {
      if (error) fail(verb, error)
      next()
    })
  }
}

function byCommandLine() {
  for (const [verb, file] of calls) {
    if (verb === 'remove') {
      rmSync(file, { force: true })
      continue
    }
    const { status, error } = spawnSync(program, ['-s', verb, file], { stdio: 'inherit' })
    if (error !== undefined) fail(verb, error)
    if (status !== 0) process.exit(status ?? 1)
  }
}

function fail(verb, error) {
  const first = Array.isArray(error) ? error[0] : error
  process.stderr.write(`pm2 ${verb}: ${first?.message ?? first}\n`)
  process.exit(1)
}
