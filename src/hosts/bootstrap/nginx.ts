import { cannot, same } from './item.ts'
import type { Judge } from './item.ts'
import type { EnvironmentNeeds } from './needs.ts'
import { NGINX_FILE, NGINX_STAMP, UPSTREAMS_FOLDER } from './places.ts'
import { NGINX_DIGEST } from './probe-script.ts'
import type { NginxState } from './state.ts'

const INCLUDE = `# Laid by drover hosts bootstrap: one upstream for each service, such as http://pakashop-production-gateway.
include ${UPSTREAMS_FOLDER}/*.conf;
`

/**
 * The system's nginx reads only what root has laid. A file of the deploy user's would be a way to become root: nginx
 * opens the logs that its configuration names as root, and writes into them what a request says.
 */
export function upstreamsOf({ name, ports }: EnvironmentNeeds): string {
  return Object.entries(ports)
    .map(([service, port]) => `upstream ${name}-${service} { server 127.0.0.1:${port}; keepalive 16; }\n`)
    .join('')
}

/**
 * Laid, tried, told; or everything as it was before, and what nginx said. Cut off in between, it is done again, because
 * the stamp is written last. `$1 $2` path and text, and so on for each file.
 */
const TELL = `before=$(mktemp -d) && trap 'rm -rf -- "$before"' EXIT || exit 1
umask 022; LC_ALL=C; export LC_ALL
each() {
  what=$1 index=0; shift
  while [ $# -gt 0 ]; do "$what" "$1" "$2" "$before/$index" || return 1; index=$((index + 1)); shift 2; done
}
keep() { [ ! -e "$1" ] || cp -p -- "$1" "$3"; }
lay() { printf '%s' "$2" >"$1.part" && mv -fT -- "$1.part" "$1"; }
put_back() { if [ -e "$3" ]; then cp -pf -- "$3" "$1"; else rm -f -- "$1" "$1.part"; fi; }
undo() { each put_back "$@"; }
each keep "$@" || exit 1
each lay "$@" || { undo "$@"; exit 1; }
if ! said=$(timeout 20 nginx -t 2>&1); then
  undo "$@"; printf 'nginx refuses it, and it was taken away again: %s\\n' "$said" >&2; exit 1
fi
if systemctl -q is-active nginx && ! said=$(systemctl reload nginx 2>&1); then
  undo "$@"; printf 'nginx did not reload, and it was taken away again: %s\\n' "$said" >&2; exit 1
fi
${NGINX_DIGEST} >${NGINX_STAMP}`

/** The services by name for the nginx of the system, which is the public one. */
export const nginx: Judge = ({ environments }, { nginx, programs }) => {
  const name = 'nginx'
  const wanted = environments.filter(({ ports }) => Object.keys(ports).length > 0)
  const count = wanted.reduce((sum, { ports }) => sum + Object.keys(ports).length, 0)
  const what = `${count} ${count === 1 ? 'upstream' : 'upstreams'} for the public one, in ${NGINX_FILE}`
  if (programs.has('nginx') && !nginx.hasFolder) {
    return same(name, `no folder ${NGINX_FILE.slice(0, NGINX_FILE.lastIndexOf('/'))}: services are not named`)
  }
  if (nginx.complaint !== undefined && !isAboutOurs(nginx.complaint)) {
    return cannot({
      name,
      what: `nginx refuses its own configuration: ${firstComplaint(nginx.complaint)}`,
      hint: 'Mend it; `nginx -t` on the host names the line. Nothing is laid before it is whole.',
    })
  }
  const files = [
    [NGINX_FILE, INCLUDE],
    ...wanted.map((each) => [`${UPSTREAMS_FOLDER}/${each.name}.conf`, upstreamsOf(each)]),
  ] as const
  const reason = reasonOf(nginx, wanted)
  if (reason === undefined) return same(name, what)
  return {
    name,
    sign: nginx.file === undefined ? 'add' : 'change',
    what,
    ...(reason === NEW ? {} : { why: reason }),
    operations: [
      { kind: 'folder', path: UPSTREAMS_FOLDER, mode: 0o755 },
      { kind: 'run', program: 'sh', argv: ['-c', TELL, 'nginx', ...files.flat()] },
    ],
  }
}

const NEW = 'new'

function reasonOf(nginx: NginxState, wanted: readonly EnvironmentNeeds[]): string | undefined {
  if (nginx.file === undefined) return NEW
  if (nginx.file !== INCLUDE) return 'was altered by hand'
  const stale = wanted.filter((each) => nginx.upstreams.get(each.name) !== upstreamsOf(each))
  if (stale.length > 0) return `services of ${stale.map(({ name }) => name).join(', ')} have changed`
  return nginx.told ? undefined : 'nginx was not told of it yet'
}

/** What a person broke in a file that is laid by us is put right by laying it. */
function isAboutOurs(complaint: string): boolean {
  return [NGINX_FILE, UPSTREAMS_FOLDER].some((place) => complaint.includes(` in ${place}`))
}

function firstComplaint(said: string): string {
  const line = said.split('\n').find((each) => each.includes('[emerg]')) ?? said.split('\n')[0] ?? ''
  return line.replace(/^nginx: \[emerg\] /, '').trim()
}
