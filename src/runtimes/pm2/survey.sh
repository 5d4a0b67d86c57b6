# What a host says of slots, read from their files and from /proc; PM2 is not asked, it is slow and may be gone.
# Changes nothing but the size of logs.
#
#   sh survey.sh <root> <largest log, KiB> <ports, separated by blanks> [<slot folder>...]
#
# Without slot folders it tells of all there are.
# For each slot that was ever laid, two lines:
#   slot <service> <a|b> <stop 0|1> <registered 0|1> <halted 0|1> <alive 0|1> <starts> <started, ms> <pid> <key of the spec that started>
#   the JSON of slot.json
# For each of the ports that something listens on, three lines:
#   port <port> <pid or 0> <program>
#   the DROVER_SLOT_FOLDER of that process, or an empty line
#   its working folder, or an empty line
root=$1 largest=$2 ports=$3
shift 3
[ $# -gt 0 ] || set -- "$root"/slots/*/[ab]
read -r boot </proc/sys/kernel/random/boot_id

# The pid alone proves nothing, it may be another's by now: the start time since boot, field 22, must be the same.
alive() {
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  set -- "$2" ${stat##*) }
  [ "$2" != Z ] && [ "$2" != X ] && [ "${21}" = "$1" ]
}

own=
for slot; do
  { read -r json <"$slot/slot.json"; } 2>/dev/null || continue
  slot_name=${slot##*/} service=${slot%/*}
  service=${service##*/}
  stop=0 registered=0 halted=0 alive=0 count=0 ms=0 pid=0 key=
  [ ! -e "$slot/stop" ] || stop=1
  [ ! -e "$slot/run" ] || registered=1
  [ ! -e "$slot/halted" ] || halted=1
  if { read -r count ms pid ticks started_boot key <"$slot/starts"; } 2>/dev/null; then
    if [ "$started_boot" = "$boot" ] && alive "$pid" "$ticks"; then
      alive=1 own="$own /proc/$pid/fd"
    fi
  fi
  printf 'slot %s %s %s %s %s %s %s %s %s %s\n%s\n' "$service" "$slot_name" "$stop" "$registered" "$halted" "$alive" "$count" "$ms" "$pid" "$key" "$json"
done

# A log that outgrew its limit: its end is kept beside it and it goes on from nothing. The writer appends, so it
# follows; what it writes between the two commands is lost.
find "$root"/slots/*/*/log "$root/pm2/pm2.log" -size +"${largest}k" 2>/dev/null | while IFS= read -r log; do
  tail -c 1048576 -- "$log" >"$log.1" && : >"$log"
done

[ -n "$ports" ] || exit 0
# Local address and port in hexadecimal, field 2; state 0A is LISTEN; field 10 is the socket's inode.
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v ports="$ports" '
  BEGIN {
    count = split(ports, wanted, " ")
    for (i = 1; i <= count; i++) port_of[sprintf("%04X", wanted[i])] = wanted[i]
  }
  $4 == "0A" {
    hex = substr($2, length($2) - 3)
    if (hex in port_of && !(hex in seen)) { seen[hex] = 1; print port_of[hex], $10 }
  }' | while read -r port inode; do
  # Most often a slot itself has it; all processes of the machine are many.
  fd=''
  [ -z "$own" ] || fd=$(find $own -lname "socket:\\[$inode\\]" 2>/dev/null | head -n 1)
  [ -n "$fd" ] || fd=$(find /proc/[0-9]*/fd -lname "socket:\\[$inode\\]" 2>/dev/null | head -n 1)
  pid=${fd#/proc/} program=unknown marker='' folder=''
  pid=${pid%%/*}
  if [ -n "$pid" ]; then
    { read -r program <"/proc/$pid/comm"; } 2>/dev/null
    marker=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^DROVER_SLOT_FOLDER=//p' | head -n 1)
    folder=$(readlink "/proc/$pid/cwd")
  fi
  printf 'port %s %s %s\n%s\n%s\n' "$port" "${pid:-0}" "$program" "$marker" "$folder"
done
