/** A process of the nginx of one prefix, as the host shows it. */
export interface NginxProcess {
  readonly pid: number
  readonly parent: number
  /** `closing`: a worker that finishes what it has begun and accepts nothing new. */
  readonly role: 'master' | 'worker' | 'closing'
  /** The shape that it runs with. */
  readonly shape: string
}

/**
 * Shell function: one line `process <pid> <parent> <role> <shape>` for every process that runs nginx below the prefix
 * `$1`. They are told by the error log that they have open as stderr, never by a pid file: that may be stale, and
 * workers outlive a killed master.
 */
export const LIST_PROCESSES = `list_processes() {
  for entry in /proc/[0-9]*; do
    for log in "$1"/shapes/*/error.log; do
      [ "$entry/fd/2" -ef "$log" ] || continue
      title= parent=
      { IFS= read -r title <"$entry/cmdline"; read -r _ _ _ parent _ <"$entry/stat"; } 2>/dev/null
      case $title in
        'nginx: master process'*) role=master ;;
        'nginx: worker process is shutting down'*) role=closing ;;
        'nginx: worker process'*) role=worker ;;
        *) continue ;;
      esac
      shape=\${log%/error.log}
      printf 'process %s %s %s %s\\n' "\${entry#/proc/}" "\${parent:-0}" "$role" "\${shape##*/}"
    done
  done
}
`

/**
 * Shell function: waits until every worker of the prefix `$1` that accepts connections runs with shape `$2`, and is none
 * of `$3` (ids, with bars in between), which were there before. Returns 0 when they do, 20 when nginx has given the shape up (it tries for 2.5 s to get a port; its words are printed), 21 when
 * about 15 s are over.
 */
export const AWAIT_SHAPE = `await_shape() {
  tries=0
  while [ $tries -lt 300 ]; do
    workers=$(list_processes "$1" | grep ' worker ')
    if [ -n "$workers" ] && ! printf '%s\\n' "$workers" | grep -qv " $2\\$" &&
      ! printf '%s\\n' "$workers" | grep -qE "^process (\${3:-none}) "; then return 0; fi
    if grep -F '[emerg]' "$1/shapes/$2/error.log" | grep -qv 'bind() to '; then
      cat -- "$1/shapes/$2/error.log"
      return 20
    fi
    sleep 0.05
    tries=$((tries + 1))
  done
  return 21
}
`

/**
 * Shell function: `end_processes <prefix> <pattern>` ends the processes whose line matches, first gently (what they have
 * begun is finished, nothing new is accepted), after 5 s less so. Returns 0 once none is left.
 */
export const END_PROCESSES = `end_processes() {
  for signal in QUIT TERM KILL; do
    tries=0
    while [ $tries -lt 100 ]; do
      pids=$(list_processes "$1" | grep -E "$2" | cut -d ' ' -f 2)
      [ -n "$pids" ] || return 0
      # Unquoted: several numbers.
      [ $tries -gt 0 ] || kill -s "$signal" $pids 2>/dev/null
      sleep 0.05
      tries=$((tries + 1))
    done
  done
  return 1
}
`

export function readProcesses(stdout: string): NginxProcess[] {
  const pattern = /^process (\d+) (\d+) (master|worker|closing) (\S+)$/gm
  return [...stdout.matchAll(pattern)].map(([, pid, parent, role, shape]) => ({
    pid: Number(pid),
    parent: Number(parent),
    role: role === 'master' || role === 'closing' ? role : 'worker',
    shape: shape ?? '',
  }))
}

/** The master; a worker that was just forked bears the master's title for a moment, but is its child. */
export function masterOf(processes: readonly NginxProcess[]): NginxProcess | undefined {
  const masters = processes.filter((process) => process.role === 'master')
  return masters.find((one) => !masters.some((other) => other.pid === one.parent))
}
