#!/bin/sh
# What Drover does as root on a host, and all of it. Lies root-owned in /usr/local/sbin/drover-host; a rule of sudo lets
# the deploy user run it. Needs sh, coreutils, util-linux, grep and systemd.
#
#   drover-host version                                   `drover-host <version> <sha256 of this file>`
#   drover-host units <fleet> <environment> <root>        lays the units on stdin, each after a line `=== <file name>`:
#                                                         <fleet>-<environment>-<service>@.service, and
#                                                         <fleet>-<environment>-router.service; enables them for the
#                                                         next boot. Nothing is done when all lie there already and
#                                                         systemd has read them.
#   drover-host start <fleet> <environment> <slot>...     starts slots (`backend@a`) together; returns when systemd has
#                                                         executed them. Their environments come on stdin, each a line
#                                                         `<slot> <bytes>` and so many bytes of lines NAME="value".
#   drover-host stop <fleet> <environment> <slot>...      stops slots together and forgets their environments; returns
#                                                         when no process is left. A slot without a unit is fine.
#   drover-host restart|reset-failed <fleet> <environment> <slot>...
#   drover-host kill <fleet> <environment> <signal> <slot>...     TERM, INT, HUP, QUIT, USR1, USR2 or KILL, to all
#   drover-host router <fleet> <environment> start|stop|restart|reload
#   drover-host enable <fleet> <environment>              enables again, for the next boot, the units that lie there
#   drover-host environments <fleet> <environment> <slot>...      of each slot that has an environment, a line of sha256sum
#   drover-host remove <fleet> <environment>              stops and removes every unit of the environment
#   drover-host listeners <port>...                       who listens: lines `<port> <pid> <program> <unit or ->`
#
# Exit codes: 0 done, 1 failed, 2 asked wrongly, 3 refused; then stderr has `drover-host refused <kind>: <what>` with a
# kind of name, root, text or foreign, and nothing was changed.
#
# Whoever may call this must not become root by it:
# - A unit is laid only when every line of it is one of those below: the programs of slots run as drover-services, the
#   router as the user who called, and neither gains anything by being a unit.
# - A unit that Drover did not write for the same fleet and environment is left alone, wherever systemd would find it.
# - Nothing is read or written as root where the caller can lay a link: texts come on stdin, environments are kept
#   below /etc/drover, since systemd reads them as root.
# - sudo passes on nothing of the caller's environment that matters here, and says who called.
VERSION=3
SERVICE_USER=drover-services
UNITS=/etc/systemd/system
ENVIRONMENTS=/etc/drover/environments
ROOTS=/etc/drover/roots
LOCK=/run/drover-host.lock
# Present from before a unit changes until systemd has read it.
RELOAD=/run/drover-host.reload

set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
unset IFS CDPATH
umask 022
cd /

usage() {
  printf 'drover-host: %s\n' "$1" >&2
  exit 2
}

refuse() {
  printf 'drover-host refused %s: %s\n' "$1" "$2" >&2
  exit 3
}

# A name stands in unit names and paths: [a-z0-9-], no newline or anything else.
is_name() {
  case $1 in '' | -* | *[!a-z0-9-]*) return 1 ;; esac
  [ "${#1}" -le 128 ]
}

take_environment() {
  is_name "${1-}" && is_name "${2-}" || refuse name 'a fleet and an environment are [a-z0-9-]+'
  prefix=$1-$2
  header="# Written by Drover for $1/$2."
}

# The slots of the arguments as `units`, those without a unit left out.
take_slots() {
  [ $# -gt 0 ] || usage 'which slots?'
  units=
  for slot; do
    case $slot in *@a | *@b) ;; *) refuse name 'a slot is <service>@a or <service>@b' ;; esac
    is_name "${slot%@?}" || refuse name 'a service is [a-z0-9-]+'
    template=$prefix-${slot%@?}@.service
    if [ -e "$UNITS/$template" ] || [ -L "$UNITS/$template" ]; then
      is_ours "$template" || refuse foreign "$UNITS/$template was not made by Drover for this environment"
      units="$units $prefix-$slot.service"
    elif [ "$1" = "$slot" ] && [ "$strict" = yes ]; then
      refuse name "there is no $template"
    fi
  done
}

# A file of systemd's administrator that Drover wrote for this very environment: another's prefix may begin alike.
is_ours() {
  [ -f "$UNITS/$1" ] && [ ! -L "$UNITS/$1" ] && read -r first <"$UNITS/$1" && [ "$first" = "$header" ]
}

is_foreign() {
  if [ -e "$UNITS/$1" ] || [ -L "$UNITS/$1" ]; then
    is_ours "$1" || { found=$UNITS/$1; return 0; }
  fi
  for place in /run/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
    if [ -e "$place/$1" ] || [ -L "$place/$1" ]; then found=$place/$1; return 0; fi
  done
  return 1
}

# The deploy user: who called, or, where root itself deploys, whose the root is.
take_deploy_user() {
  deploy=${SUDO_USER-}
  [ -n "$deploy" ] || deploy=$(stat -c %U -- "$root" 2>/dev/null)
  case $deploy in '' | root | UNKNOWN | -* | *[!A-Za-z0-9._-]*) deploy=$SERVICE_USER ;; esac
}

take_root() {
  root=${1-}
  case $root in
    /*) ;;
    *) refuse root 'the root is an absolute path' ;;
  esac
  case $root/ in
    *[!A-Za-z0-9._/-]* | *//* | */./* | */../*) refuse root 'a root has [A-Za-z0-9._/-] and no dots for folders' ;;
  esac
  allowed=/srv/drover
  if [ -f "$ROOTS" ]; then allowed=$(cat "$ROOTS"); fi
  for place in $allowed; do
    case $root/ in "$place"/*) return 0 ;; esac
  done
  refuse root "$root is not a folder that $ROOTS allows, nor below one"
}

# Every line that a unit may have, as extended regular expressions for whole lines. No line can go on in the next: none
# holds a backslash.
common_lines() {
  cat <<END
# [] !-Z[^-~]*
\[(Unit|Service)]
Description=[A-Za-z0-9 ,./:-]*(%i)?
(After|Wants)=network(-online)?\.target
StartLimitIntervalSec=0
SyslogIdentifier=[a-z0-9-]+(@%i)?
SyslogLevelPrefix=no
Restart=(always|on-failure|no)
Restart(Sec|MaxDelaySec)=[0-9]+(ms|s)?
RestartSteps=[0-9]+
Timeout(Start|Stop)Sec=[0-9]+(ms|s)?
KillMode=(control-group|mixed)
UMask=00[0-7]7
Memory(Max|High|SwapMax)=[0-9]+[KMG]?
CPUQuota=[0-9]+%
(TasksMax|LimitNOFILE)=[0-9]+
(CPU|Memory|Tasks|IO)Accounting=yes
OOMPolicy=(stop|continue|kill)
NoNewPrivileges=yes
ProtectSystem=(strict|full|yes)
ProtectHome=(yes|read-only|tmpfs)
ProtectProc=(invisible|noaccess|ptraceable)
ProcSubset=(pid|all)
Protect(KernelTunables|KernelModules|KernelLogs|ControlGroups|Clock|Hostname)=yes
Private(Tmp|Devices|IPC)=yes
RemoveIPC=yes
Restrict(Realtime|SUIDSGID|Namespaces)=yes
RestrictAddressFamilies=AF_[A-Z0-9]+( AF_[A-Z0-9]+)*
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=(~?@[a-z-]+)( @[a-z-]+)*
SystemCallErrorNumber=EPERM
CapabilityBoundingSet=
ReadWritePaths=$(escaped "$root")(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*

END
}

slot_lines() {
  path=$(escaped "$root")/slots/$1/%i
  common_lines
  cat <<END
Type=exec
User=$SERVICE_USER
ConditionPathExists=$path/wanted
Before=$prefix-router\.service
EnvironmentFile=$ENVIRONMENTS/$prefix-$1@%i\.env
ExecStart=/bin/sh $path/run
StateDirectory=drover/$prefix-$1
StateDirectoryMode=07[05]0
Environment=HOME=/var/lib/drover/$prefix-$1
END
}

# systemd removes the PID file as root, and the caller may make a link of the folder: no other name than this one.
router_lines() {
  path=$(escaped "$root")/router
  common_lines
  cat <<END
Type=(forking|exec|simple)
User=$(escaped "$deploy")
ConditionPathExists=$path(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*
PIDFile=$path/nginx\.pid
WorkingDirectory=$path
Exec(Start|StartPre|Reload|Stop)=(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+( [A-Za-z0-9._/:=,-]+)*
KillSignal=SIG(TERM|QUIT)
END
}

escaped() {
  printf '%s' "$1" | sed 's/\./\\./g'
}

# Takes the texts on stdin apart into files below $work, whose names are checked.
take_texts() {
  cat >"$work/all"
  names=$(sed -n 's/^=== //p' "$work/all")
  [ -n "$names" ] || usage 'no unit on stdin'
  for name in $names; do
    case $name in
      "$prefix"-*@.service) is_name "${name%@.service}" || refuse name 'not a name of a unit' ;;
      "$prefix-router.service") ;;
      *) refuse name "a unit of this environment is $prefix-<service>@.service or $prefix-router.service" ;;
    esac
  done
  mkdir "$work/units"
  awk -v folder="$work/units/" '/^=== / { if (file) close(file); file = folder $2; next } file { print >file }' "$work/all"
}

# Refuses a text with a line that is not known, and one without the line that makes it harmless.
check_text() {
  file=$work/units/$1
  [ -f "$file" ] && read -r first <"$file" && [ "$first" = "$header" ] ||
    refuse text "$1 does not begin with: $header"
  case $1 in
    *@.service)
      service=${1#"$prefix-"}
      user=$SERVICE_USER
      slot_lines "${service%@.service}" >"$work/lines"
      ;;
    *)
      user=$deploy
      router_lines >"$work/lines"
      ;;
  esac
  unknown=$(grep -avxEn -m 1 -f "$work/lines" "$file" | cut -c 1-120 | tr -c '[:print:]' '?')
  [ -z "$unknown" ] || refuse text "$1 has a line that is not allowed: $unknown"
  # In another section it would mean nothing, and without it a program runs as root.
  grep -A 1 -xF '[Service]' "$file" | grep -qxF "User=$user" || refuse text "$1 lacks User=$user after [Service]"
}

lay_unit() {
  cat "$work/units/$1" >"$UNITS/.$1.part" && sync "$UNITS/.$1.part" && mv -fT "$UNITS/.$1.part" "$UNITS/$1"
}

# The target brings the environment up at boot; which of its slots runs is decided by their conditions.
lay_target() {
  target=$prefix.target
  printf '%s\n[Unit]\nDescription=%s\n' "$header" "${header#\# }" >"$work/$target"
  if ! cmp -s "$work/$target" "$UNITS/$target"; then
    cat "$work/$target" >"$UNITS/.$target.part" && mv -fT "$UNITS/.$target.part" "$UNITS/$target" || return 1
  fi
  want multi-user.target "$target" "$target"
}

# want <target> <unit> <file of the unit>
want() {
  mkdir -p "$UNITS/$1.wants" && ln -sfn "../$3" "$UNITS/$1.wants/$2"
}

# A folder that only root reaches; what a killed one left goes with the next boot, or lies where only root sees it.
make_work() {
  work=$(mktemp -d "$1.XXXXXXXX") || exit 1
  trap 'rm -rf "$work"' EXIT
  trap 'exit 143' HUP INT TERM
}

lay_units() {
  make_work /run/drover-host
  exec 9>"$LOCK" && flock 9 || exit 1
  take_texts
  for name in $names; do check_text "$name"; done
  for name in $names "$prefix.target"; do
    ! is_foreign "$name" || refuse foreign "$found was not made by Drover for this environment"
  done
  changed=
  for name in $names; do cmp -s "$work/units/$name" "$UNITS/$name" || changed="$changed $name"; done
  if [ -n "$changed" ] || is_unread; then : >"$RELOAD" || exit 1; fi
  for name in $changed; do lay_unit "$name" || exit 1; done
  if [ -e "$RELOAD" ]; then enable_names; fi
}

# Whether somebody has touched one of $names since systemd read it.
is_unread() {
  instances=
  for name in $names; do
    case $name in
      *@.service) instances="$instances ${name%.service}a.service ${name%.service}b.service" ;;
      *) instances="$instances $name" ;;
    esac
  done
  systemctl show --property=NeedDaemonReload -- $instances | grep -q yes
}

# What boots from now on, of $names.
enable_names() {
  for name in $names; do
    case $name in
      *@.service)
        want "$prefix.target" "${name%.service}a.service" "$name" &&
          want "$prefix.target" "${name%.service}b.service" "$name" || exit 1
        ;;
      *) want "$prefix.target" "$name" "$name" || exit 1 ;;
    esac
  done
  lay_target && sync -f "$UNITS" && systemctl daemon-reload && rm -f "$RELOAD"
}

enable_all() {
  make_work /run/drover-host
  exec 9>"$LOCK" && flock 9 || exit 1
  names=
  for file in "$UNITS/$prefix"-*@.service "$UNITS/$prefix-router.service"; do
    if is_ours "${file##*/}"; then names="$names ${file##*/}"; fi
  done
  [ -n "$names" ] || return 0
  ! is_foreign "$prefix.target" || refuse foreign "$found was not made by Drover for this environment"
  : >"$RELOAD" || exit 1
  enable_names
}

# A caller who starts slots has had these texts in hand.
show_environments() {
  take_slots "$@"
  set --
  for unit in $units; do set -- "$@" "${unit%.service}.env"; done
  if [ $# -gt 0 ] && cd "$ENVIRONMENTS" 2>/dev/null; then sha256sum -- "$@" 2>/dev/null; fi
  return 0
}

start_slots() {
  strict=yes
  take_slots "$@"
  umask 077
  mkdir -p "$ENVIRONMENTS" || exit 1
  make_work "$ENVIRONMENTS/.laying"
  expected=''
  while read -r slot bytes; do
    case " $* " in *" $slot "*) ;; *) refuse name 'an environment of a slot that is not to be started' ;; esac
    case $bytes in '' | *[!0-9]* | ????????*) refuse text 'an environment has up to 9999999 bytes' ;; esac
    file=$prefix-$slot.env
    head -c "$bytes" >"$work/$file" || exit 1
    expected="$expected$file $bytes
"
  done
  set --
  for unit in $units; do set -- "$@" "${unit%.service}.env"; done
  found=$(cd "$work" && stat -c '%n %s' -- "$@") && [ "$found
" = "$expected" ] || refuse text 'the environments are not those of the slots, in their order, or were cut off'
  mv -f "$work"/*.env "$ENVIRONMENTS/" || exit 1
  sync -f "$ENVIRONMENTS" &
  systemctl start $units
  status=$?
  wait
  exit "$status"
}

stop_slots() {
  strict=no
  take_slots "$@"
  [ -n "$units" ] || return 0
  systemctl stop $units || exit 1
  set --
  for unit in $units; do set -- "$@" "$ENVIRONMENTS/${unit%.service}.env"; done
  rm -f "$@"
  systemctl reset-failed $units 2>/dev/null
  return 0
}

act_on_router() {
  unit=$prefix-router.service
  case ${1-} in
    start | restart | reload) is_ours "$unit" || refuse foreign "$UNITS/$unit was not made by Drover for this environment" ;;
    stop) is_ours "$unit" || return 0 ;;
    *) usage 'start, stop, restart or reload?' ;;
  esac
  systemctl "$1" "$unit"
}

remove_all() {
  exec 9>"$LOCK" && flock 9 || exit 1
  units='' files=''
  for file in "$UNITS/$prefix"-*@.service "$UNITS/$prefix-router.service" "$UNITS/$prefix.target"; do
    name=${file##*/}
    [ -e "$file" ] && is_ours "$name" || continue
    files="$files $name"
    case $name in
      *@.service) units="$units ${name%.service}a.service ${name%.service}b.service" ;;
      *.service) units="$units $name" ;;
    esac
  done
  [ -n "$files" ] || return 0
  if [ -n "$units" ]; then systemctl stop $units || exit 1; fi
  : >"$RELOAD" || exit 1
  for unit in $units; do rm -f "$ENVIRONMENTS/${unit%.service}.env" "$UNITS/$prefix.target.wants/$unit"; done
  rm -f "$UNITS/multi-user.target.wants/$prefix.target"
  [ ! -d "$UNITS/$prefix.target.wants" ] || rmdir "$UNITS/$prefix.target.wants"
  for name in $files; do rm -f "$UNITS/$name"; done
  systemctl daemon-reload && rm -f "$RELOAD"
  systemctl reset-failed $units 2>/dev/null
  return 0
}

show_listeners() {
  for port; do
    case $port in '' | *[!0-9]* | ??????*) usage 'a port is a number' ;; esac
  done
  for port; do
    inodes=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
      awk -v hex="$(printf '%04X' "$port")" '$4 == "0A" && substr($2, length($2) - 3) == hex { print $10 }')
    for inode in $inodes; do
      fd=$(find /proc/[0-9]*/fd -lname "socket:\\[$inode\\]" 2>/dev/null | head -n 1)
      pid=${fd#/proc/}
      pid=${pid%%/*}
      [ -n "$pid" ] || continue
      unit=$(grep -aoE -m 1 '[^/]+\.(service|scope)$' "/proc/$pid/cgroup" 2>/dev/null | head -n 1)
      printf '%s %s %s %s\n' "$port" "$pid" "$(tr -d ' \n' <"/proc/$pid/comm" 2>/dev/null)" "${unit:--}"
    done
  done
}

[ $# -gt 0 ] || usage 'what is to be done?'
verb=$1
shift
case $verb in
  version)
    sum=$(sha256sum <"$0")
    printf 'drover-host %s %s\n' "$VERSION" "${sum%% *}"
    exit
    ;;
  listeners)
    show_listeners "$@"
    exit
    ;;
  units | enable | start | stop | restart | reset-failed | kill | environments | router | remove) ;;
  *) usage "cannot ${verb%%[!a-z-]*}" ;;
esac
[ "$(id -u)" = 0 ] || usage 'must be run as root'
[ $# -ge 2 ] || usage 'which fleet and environment?'
take_environment "$1" "$2"
shift 2
case $verb in
  units)
    [ $# -eq 1 ] || usage 'which root?'
    take_root "$1"
    take_deploy_user
    lay_units
    ;;
  start) start_slots "$@" ;;
  stop) stop_slots "$@" ;;
  restart | reset-failed)
    strict=yes
    take_slots "$@"
    systemctl "$verb" $units
    ;;
  kill)
    case ${1-} in TERM | INT | HUP | QUIT | USR1 | USR2 | KILL) signal=$1 ;; *) usage 'which signal?' ;; esac
    shift
    strict=no
    take_slots "$@"
    [ -z "$units" ] || systemctl kill --signal="SIG$signal" $units
    ;;
  environments)
    strict=no
    show_environments "$@"
    ;;
  enable) enable_all ;;
  router) act_on_router "$@" ;;
  remove) remove_all ;;
esac
