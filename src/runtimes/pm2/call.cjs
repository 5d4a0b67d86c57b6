// Does several things with PM2, one after the other, with one load of its modules: a call of its command line costs
// twice as much, and each thing needs a call of its own.
//
//   node call.cjs <pm2 program> (start|delete <file that names slots> | remove <file> | end <argument list of sh>)...
//
// `end`, which ends the processes of slots, begins at once: they end while the modules are loaded.
const { spawn, spawnSync } = require('node:child_process')
const { existsSync, readFileSync, realpathSync, rmSync } = require('node:fs')
const { join } = require('node:path')

const [program, ...words] = process.argv.slice(1)
const calls = []
for (let index = 0; index < words.length; index += 2) calls.push([words[index], words[index + 1]])
const endings = calls.filter(([verb]) => verb === 'end').map(([, argv]) => ended(JSON.parse(argv)))
const found = packageOf(program)
all(found === undefined ? byCommandLine : byModule(require(found))).then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${error.message}\n`)
    process.exit(1)
  },
)

async function all(tell) {
  for (const [verb, argument] of calls) {
    if (verb === 'remove') rmSync(argument, { force: true })
    else if (verb === 'end') await endings.shift()
    else await tell(verb, argument)
  }
}

function ended(argv) {
  const child = spawn('sh', argv, { stdio: ['ignore', 'ignore', 'inherit'] })
  const exit = new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => (code === 0 ? resolve() : reject(new Error(`ending slots: ${signal ?? code}`))))
  })
  exit.catch(() => undefined)
  return exit
}

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
  const connected = new Promise((resolve, reject) => {
    pm2.connect((error) => (error ? reject(problem('connect', error)) : resolve()))
  })
  connected.catch(() => undefined)
  return async (verb, file) => {
    await connected
    await new Promise((resolve, reject) => {
      pm2[verb](file, (error) => (error ? reject(problem(verb, error)) : resolve()))
    })
  }
}

async function byCommandLine(verb, file) {
  const { status, error } = spawnSync(program, ['-s', verb, file], { stdio: 'inherit' })
  if (error !== undefined) throw problem(verb, error)
  if (status !== 0) throw new Error(`pm2 ${verb} ended with ${status}`)
}

function problem(verb, error) {
  const first = Array.isArray(error) ? error[0] : error
  return new Error(`pm2 ${verb}: ${first?.message ?? first}`)
}
