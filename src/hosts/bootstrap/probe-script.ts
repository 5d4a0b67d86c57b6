import { quote } from '../host.ts'
import { HELPER_PATH, SERVICE_USER } from '../drover-host/drover-host.ts'
import { NODE_FOLDER } from './node-program.ts'
import { JOURNAL_FILE, NGINX_FILE, NGINX_STAMP, ROOTS_FILE, SUDOERS_FILE, UPSTREAMS_FOLDER } from './places.ts'

/** What nginx is told of, as one number. */
export const NGINX_DIGEST = `cat ${quote(NGINX_FILE)} ${quote(UPSTREAMS_FOLDER)}/*.conf 2>/dev/null | sha256sum | cut -d ' ' -f 1`

/** First and last line of the answer: what lacks one of them is no answer of this script. */
export const FIRST_LINE = 'drover-look 1'
export const LAST_LINE = 'drover-look end'

/**
 * Everything that there is to know, a line each: a word and its value, texts of files in base64. Runs as root where it
 * may, else as who logged in, and then knows less. Arguments: deploy user, home of who logged in, version of Node or
 * `-`, folders of environments.
 */
const LOOK = `user=$1 login_home=$2 node=$3; shift 3
LC_ALL=C; export LC_ALL
say() { printf '%s %s\\n' "$1" "$2"; }
pack() { printf '%s ' "$1"; head -c 65536 | base64 -w 0; printf '\\n'; }
file() { if [ -f "$2" ] && [ -r "$2" ]; then pack "$1" <"$2"; fi; }
say kernel "$(uname -s)"
say arch "$(uname -m)"
file os /etc/os-release
say init "$(cat /proc/1/comm)"
[ ! -d /run/systemd/system ] || say systemd yes
say libc "$(getconf GNU_LIBC_VERSION)"
for program in apt-get sudo visudo useradd runuser nginx python3 tar perl flock; do
  if command -v "$program" >/dev/null; then say program "$program"; fi
done
if command -v python3 >/dev/null; then say python "$(python3 -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')"; fi
for place in / /usr /var /srv "$login_home"; do
  if [ -d "$place" ]; then say disk "$(df -Pk -- "$place" | awk 'NR == 2 { print $4, $6 }') $place"; fi
done
if entry=$(getent passwd "$user"); then
  say user "$entry"
  say groups "$(id -nG -- "$user")"
  home=$(printf '%s' "$entry" | cut -d : -f 6)
  file keys "$home/.ssh/authorized_keys"
fi
if entry=$(getent passwd ${SERVICE_USER}); then say services "$entry"; fi
file login-keys "$login_home/.ssh/authorized_keys"
for folder do
  if [ -L "$folder" ]; then kind=link; elif [ -d "$folder" ]; then kind=folder; elif [ -e "$folder" ]; then kind=file; else continue; fi
  if [ "$kind" = folder ] && [ -n "$(ls -A -- "$folder" | head -n 1)" ]; then kind=filled; fi
  say folder "$kind $(stat -c '%U %a' -- "$folder") $folder"
done
file roots ${quote(ROOTS_FILE)}
file helper ${quote(HELPER_PATH)}
if [ -e ${quote(HELPER_PATH)} ]; then say helper-mode "$(stat -c '%U:%G %a' -- ${quote(HELPER_PATH)})"; fi
file sudoers ${quote(SUDOERS_FILE)}
if [ "$node" != - ]; then
  bin=${quote(NODE_FOLDER)}-$node/bin
  if [ -x "$bin/node" ]; then say node-sha256 "$(cat -- "$bin/node" "$bin/npx" | sha256sum | cut -d ' ' -f 1)"; fi
  say node-link "$(readlink -- ${quote(NODE_FOLDER)})"
  if [ -x ${quote(NODE_FOLDER)}/bin/node ]; then say node-version "$(timeout 10 ${quote(NODE_FOLDER)}/bin/node --version)"; fi
fi
[ ! -d "$(dirname -- ${quote(NGINX_FILE)})" ] || say nginx-folder yes
file nginx-file ${quote(NGINX_FILE)}
for file in ${quote(UPSTREAMS_FOLDER)}/*.conf; do
  if [ -f "$file" ]; then pack "upstreams $(basename -- "$file" .conf)" <"$file"; fi
done
file nginx-told ${quote(NGINX_STAMP)}
say nginx-now "$(${NGINX_DIGEST})"
say nginx-active "$(systemctl is-active nginx)"
if [ "$(id -u)" = 0 ] && command -v nginx >/dev/null; then
  if said=$(timeout 10 nginx -t 2>&1); then say nginx-test ok; else printf '%s' "$said" | pack nginx-said; fi
fi
file journal-file ${quote(JOURNAL_FILE)}
systemd-analyze cat-config systemd/journald.conf | grep -E '^(SystemMaxUse|Storage)=' | pack journal`

/**
 * One round trip. With `root` it becomes root by sudo, without ever asking for a password, and says why it may not;
 * then it looks at what an ordinary user may see.
 */
const PROBE = `become=$1 look=$2 user=$3 node=$4; shift 4
printf '%s\\n' '${FIRST_LINE}'
me=$(id -un)
printf 'login %s %s\\n' "$me" "$HOME"
as=
if [ "$(id -u)" = 0 ]; then printf 'rights root\\n'
elif [ "$become" = root ]; then
  if ! command -v sudo >/dev/null; then printf 'rights no-sudo\\n'
  elif said=$(timeout 20 sudo -n true 2>&1); then printf 'rights sudo\\n'; as='sudo -n'
  else printf 'rights refused %s\\n' "$(printf '%s' "$said" | base64 -w 0)"; fi
fi
if [ "$(id -u)" != 0 ] && [ -x ${quote(HELPER_PATH)} ] && timeout 20 sudo -n ${quote(HELPER_PATH)} version >/dev/null 2>&1; then printf 'helper-answers yes\\n'; fi
$as sh -c "$look" look "$user" "$HOME" "$node" "$@" 2>/dev/null
printf '%s\\n' '${LAST_LINE}'`

export interface ProbeOptions {
  /** Whether to become root for a full look. */
  readonly asRoot: boolean
  readonly user: string
  readonly nodeVersion?: string
  readonly folders: readonly string[]
}

/** The arguments of `sh` that make a host tell about itself. */
export function probeArguments({ asRoot, user, nodeVersion = '-', folders }: ProbeOptions): string[] {
  return ['-c', PROBE, 'probe', asRoot ? 'root' : 'self', LOOK, user, nodeVersion, ...folders]
}
