import type { Host } from '../../hosts/host.ts'
import { refusal } from '../../problem/problem.ts'
import type { ServiceTraffic } from '../router.ts'
import { prefixOf } from './prefix.ts'
import { LIST_PROCESSES } from './processes.ts'

/**
 * One line per request, written unbuffered when it ends: end (seconds, with milliseconds), duration (seconds), the
 * marker it followed (`backend.ab`; `backend.peers` where other hosts run it), live, pending, or peer for one of the live
 * set that came through another host's router, status, statuses and addresses of the slots or hosts asked, method, path.
 * Neither query strings nor headers, which may hold secrets. nginx escapes control characters, so tabs separate.
 */
export const LOG_FORMAT =
  '$msec\\t$request_time\\t$drover_to\\t$drover_via\\t$status\\t$upstream_status\\t$upstream_addr\\t$request_method\\t$drover_path'

export const LOGGED_PATH_LENGTH = 120

/** The log is started anew beyond this size, and one older file is kept. */
export const ROTATE_AT_BYTES = 64 * 1024 * 1024

/**
 * nginx writes to the renamed file until it has reopened its logs: nothing is lost, and reading takes both files. The
 * arguments are the prefix and the size in bytes beyond which this is done.
 */
export const ROTATE = `${LIST_PROCESSES}
[ "$(stat -c %s -- "$1/access.log" 2>/dev/null || echo 0)" -gt "$2" ] || exit 0
mv -f -- "$1/access.log" "$1/access.log.1"
for master in $(list_processes "$1" | grep ' master ' | cut -d ' ' -f 2); do kill -s USR1 "$master"; done`

/** First read this much of the end of the log, then four times as much, until it reaches back to the window. */
const FIRST_BYTES = 1024 * 1024

/** nginx stamps lines with a clock that each worker reads once per turn: neighbours may stand in the wrong order. */
const DISORDER_MS = 5_000

const LATENCY_STEP = 1.02

/**
 * Prints `<service> <requests> <failed> <rescued> <p50 ms> <p99 ms>`. A line holds all of its fields or it is
 * the rest of one that was cut by `tail`. Latencies are counted in steps of 2 %. What came through another host is
 * counted there, failures too; only that a slot was rescued here is not seen from there.
 */
const SUMMARISE = `
function step(ms) { return ms < 1 ? 0 : 1 + int(log(ms) / log(${LATENCY_STEP})) }
function percentile(service, share,   rank, seen, i) {
  rank = share * requests[service]
  for (i = 0; i <= top; i++) {
    seen += latency[service, i]
    if (seen >= rank) return i == 0 ? 0 : ${LATENCY_STEP} ^ (i - 0.5)
  }
}
NF != 9 || $4 == "pending" || $5 == "499" || $5 == "000" { next }
{
  arrival = int(($1 - $2) * 1000 + 0.5)
  if (arrival < from || arrival >= to) next
  if (!($3 in services)) services[$3] = substr($3, 1, match($3, /[.][^.]*$/) - 1)
  service = services[$3]
  if (service == "") next
  tries = split($7, try, / : /)
  count = split(try[tries], asked, /, /)
  if ($5 < 500 && asked[count] != asked[1]) rescued[service]++
  if ($4 == "peer") next
  requests[service]++
  if ($5 >= 500) failed[service]++
  if (!($2 in steps)) steps[$2] = step($2 * 1000)
  i = steps[$2]
  if (i > top) top = i
  latency[service, i]++
}
END {
  for (service in rescued) requests[service] += 0
  for (service in requests)
    printf "%s %d %d %d %.1f %.1f\\n", service, requests[service], failed[service], rescued[service], percentile(service, 0.5), percentile(service, 0.99)
}`

/** A command that is this long on its way says nothing of clocks. */
const ON_ITS_WAY_MS = 10_000

/**
 * The arguments are the prefix, the window in milliseconds, the program of awk, and what time the window's clock has now: the
 * host's may be another.
 */
const READ = `cd -- "$1" 2>/dev/null || exit 0
export LC_ALL=C
ahead=$(($(date +%s%3N) - $5))
if [ "$ahead" -gt ${ON_ITS_WAY_MS} ] || [ "$ahead" -lt -${ON_ITS_WAY_MS} ]; then
  set -- "$1" $(($2 + ahead)) $(($3 + ahead)) "$4"
fi
size=$(stat -c %s access.log 2>/dev/null || echo 0)
bytes=${FIRST_BYTES}
while [ "$bytes" -lt "$size" ]; do
  tail -c "$bytes" access.log | awk -F '\\t' -v from="$2" 'NR == 2 { exit $1 * 1000 >= from - ${DISORDER_MS} }' && break
  bytes=$((bytes * 4))
done
{
  if [ "$bytes" -ge "$size" ] && [ -e access.log.1 ]; then cat access.log.1; fi
  if [ "$size" -gt 0 ]; then tail -c "$bytes" access.log; fi
} | awk -F '\\t' -v from="$2" -v to="$3" "$4"`

/** Traffic per service, added up on the host. See `Router.traffic`. `now` is the present time by the window's clock. */
export async function readTraffic(
  host: Host,
  root: string,
  window: { from: number; to: number; now?: number },
): Promise<Record<string, ServiceTraffic>> {
  const { folder } = prefixOf(root)
  const [from, to, now] = [window.from, window.to, window.now ?? Date.now()].map((time) => String(Math.floor(time)))
  const { ok, stdout, stderr } = await host.run({
    program: 'sh',
    argv: ['-c', READ, 'sh', folder, from!, to!, SUMMARISE, now!],
  })
  if (!ok) {
    throw refusal('routers/unreadable', `host ${host.name}`, `cannot read ${folder}/access.log: ${stderr.trim()}`)
  }
  return Object.fromEntries(
    stdout
      .split('\n')
      .filter((line) => line !== '')
      .map(readLine),
  )
}

function readLine(line: string): [service: string, traffic: ServiceTraffic] {
  const [service = '', ...numbers] = line.split(' ')
  const [requests = 0, failed = 0, rescued = 0, p50Ms = 0, p99Ms = 0] = numbers.map(Number)
  return [service, { requests, failed, rescued, slotFailures: failed + rescued, p50Ms, p99Ms }]
}
