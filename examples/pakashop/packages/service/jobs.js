import { setTimeout as sleep } from 'node:timers/promises'

/**
 * The work of a service of which only one may run: one job a second. Two tables show whether that held: `jobs` has one
 * row for each second, and its `runs` is above 1 when two processes took the same one; `job_runners` says from when to
 * when each process was at work, and the view `job_overlaps` is empty as long as no two were at once.
 *
 * @param {object} database the service's PostgreSQL
 * @param {(client: object, tick: number) => Promise<void>} work runs in the job's transaction; tick is in Unix seconds
 */
export function singletonJobs(database, work) {
  const state = { identity: undefined, row: undefined, working: false, paused: false, active: 0, lastTick: 0 }
  const turn = turns()
  let timer

  async function begin() {
    if (state.working || state.paused) return
    state.row = (await database.one(ENLIST, [state.identity.service, runner(state.identity)])).id
    state.lastTick = now()
    state.working = true
    schedule()
  }

  /** No new job; the running one is finished, and only then is this process said to have stopped. */
  async function end() {
    if (!state.working) return
    state.working = false
    clearTimeout(timer)
    while (state.active > 0) await sleep(5)
    await database.query('UPDATE job_runners SET stopped_at = clock_timestamp() WHERE id = $1', [state.row])
  }

  function schedule() {
    timer = setTimeout(() => void tick(), 1000 - (Date.now() % 1000))
  }

  async function tick() {
    // A timer may fire a millisecond early, in the second that has had its job.
    if (now() > state.lastTick) {
      state.lastTick = now()
      state.active++
      await run(state.lastTick).catch((error) => console.error(`job ${state.lastTick}: ${error.message}`))
      state.active--
    }
    if (state.working) schedule()
  }

  function run(tick) {
    return database.transaction(async (client) => {
      const { rows } = await client.query(TAKE, [state.identity.service, tick, runner(state.identity)])
      if (rows[0].runs === 1) await work(client, tick)
      await client.query('UPDATE job_runners SET last_seen = clock_timestamp() WHERE id = $1', [state.row])
    })
  }

  function pause() {
    state.paused = true
    turn(end).catch((error) => console.error(`pause: ${error.message}`))
    return { paused: true, active: state.active }
  }

  async function resume() {
    state.paused = false
    if (state.identity) await turn(begin)
    return { paused: false, active: state.active }
  }

  return {
    async background({ identity }) {
      state.identity = identity
      await turn(begin)
      return () => turn(end)
    },
    controls: {
      'POST /jobs/pause': pause,
      'POST /jobs/resume': resume,
      'GET /jobs/active': () => ({ active: state.active, paused: state.paused }),
    },
    routes: {
      'GET /jobs': () => database.one(REPORT, [state.identity.service]),
    },
  }
}

const ENLIST = 'INSERT INTO job_runners (service, runner) VALUES ($1, $2) RETURNING id'

const TAKE = `INSERT INTO jobs (service, tick, ran_by) VALUES ($1, $2, $3)
  ON CONFLICT (service, tick) DO UPDATE SET runs = jobs.runs + 1, also_ran_by = excluded.ran_by RETURNING runs`

const REPORT = `SELECT count(*)::int AS jobs, max(tick)::int AS last, count(*) FILTER (WHERE runs > 1)::int AS twice,
  (SELECT count(*)::int FROM job_overlaps WHERE service = $1) AS overlaps FROM jobs WHERE service = $1`

function runner({ release, slot, pid }) {
  return `release ${release ?? '-'} slot ${slot ?? '-'} pid ${pid}`
}

/** Runs one act after the other, so that a pause and a resume that come together do not cross. */
function turns() {
  let last = Promise.resolve()
  return (act) => (last = last.catch(() => {}).then(act))
}

function now() {
  return Math.floor(Date.now() / 1000)
}
