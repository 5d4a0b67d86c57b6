# What a host says of slots: their files, and their units as systemd sees them. Changes nothing.
#
#   sh survey.sh <root> <prefix of units> <templates 0|1> <ports, separated by blanks> [<slot folder>...]
#
# Without slot folders it tells of all there are. Prints, for each slot, two lines:
#   slot <service> <a|b> <unit> <wanted 0|1>
#   the first line of slot.json, or an empty line
# With templates:
#   reload                             when systemd has not read all units that were laid
#   template <sha256> <file>           for each service
# For each of the ports that something listens on:
#   port <port>
# Then what `systemctl show` says of the units, in blocks, and, when all of it could be said, a line `surveyed`.
root=$1 prefix=$2 templates=$3 ports=$4
shift 4
shown=all
if [ $# -eq 0 ]; then
  set -- "$root"/slots/*/[ab]
  # To show a unit costs systemd and us milliseconds. Every other slot rests: nothing runs there and nothing is meant to, and
  # what is said of its template is said of the slot beside it. One with files of its own is shown all the same.
  shown=$(systemctl list-units --all --full --plain --no-legend -- "$prefix-*.service") || exit
  shown=" $(printf '%s\n' "$shown" | awk '$3 != "inactive" { printf "%s ", $1 }')"
fi
is_shown() {
  case $shown in all | *" $1 "*) return ;; esac
  for place in /etc /run /usr/local/lib /usr/lib /lib; do
    [ ! -e "$place/systemd/system/$1" ] && [ ! -e "$place/systemd/system/$1.d" ] || return 0
  done
  return 1
}
units='' files=''
for slot; do
  name=${slot##*/} service=${slot%/*}
  service=${service##*/}
  [ "$service" != '*' ] || continue
  wanted=0 json=
  [ ! -e "$slot/wanted" ] || wanted=1
  { IFS= read -r json <"$slot/slot.json"; } 2>/dev/null
  unit=$prefix-$service@$name.service
  printf 'slot %s %s %s %s\n%s\n' "$service" "$name" "$unit" "$wanted" "$json"
  [ "$wanted" = 0 ] && ! is_shown "$unit" || units="$units $unit"
  files="$files /etc/systemd/system/$prefix-$service@.service"
done
if [ "$templates" = 1 ]; then
  [ ! -e /run/drover-host.reload ] || echo reload
  sha256sum $files 2>/dev/null | sed 's/^/template /'
fi
if [ -n "$ports" ]; then
  # Local address and port in hexadecimal, field 2; state 0A is LISTEN.
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v ports="$ports" '
    BEGIN {
      count = split(ports, wanted, " ")
      for (i = 1; i <= count; i++) port_of[sprintf("%04X", wanted[i])] = wanted[i]
    }
    $4 == "0A" {
      hex = substr($2, length($2) - 3)
      if (hex in port_of && !(hex in seen)) { seen[hex] = 1; print "port", port_of[hex] }
    }'
fi
figures=MemoryCurrent,CPUUsageNSec
origin=FragmentPath,DropInPaths,NeedDaemonReload
properties=Id,ActiveState,SubState,MainPID,NRestarts,ExecMainStartTimestamp,ExecStart,$figures,$origin
[ -z "$units" ] || TZ=UTC systemctl show --timestamp=us+utc --property="$properties" -- $units || exit
printf '\nsurveyed\n'
