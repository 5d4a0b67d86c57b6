# What of slots and units is not as it was laid, after survey.sh has told of the slots. Changes nothing. Needs `root`,
# `prefix`, `fleet`, `environment`, `helper`, where root's helper lies, and `handed`, the text of handed.pl.
#
# Prints, besides the sums of slot-sums.sh:
#   handed <sha256> <service@slot>     what root would be handed now to start a slot that is wanted
#   root <what root says>              lines of sha256sum for what root keeps of these, or why it says nothing
#   unbooted <unit>                    see boot.sh
#   helper <sha256> VERSION=<number>
#   unit <file>                        every unit that begins with the prefix
#   <file of a unit>:<line>            for each of its lines
set -- "$root"/slots/*/[ab]
wanted='' units='' before=$#
for slot; do
  [ -e "$slot/wanted" ] && { IFS= read -r json <"$slot/slot.json"; } 2>/dev/null || continue
  service=${slot%/*} config=${json#*'"config":"'}
  service=${service##*/}
  set -- "$@" "$service@${slot##*/}" "$root/env/$service/${config%%\"*}.env" "$slot/env"
  wanted="$wanted $service@${slot##*/}" units="$units $prefix-$service@${slot##*/}.service"
done
shift "$before"
if [ -n "$wanted" ]; then
  perl -e "$handed" "$@"
  as_root environments "$fleet" "$environment" $wanted 2>&1 | sed 's/^/root /'
  [ ! -e "/etc/systemd/system/$prefix-router.service" ] || units="$units $prefix-router.service"
  unbooted "$prefix" $units
fi
sum=$(sha256sum 2>/dev/null <"$helper")
printf 'helper %s %s\n' "${sum%% *}" "$(grep -m 1 '^VERSION=' "$helper" 2>/dev/null)"
texts=''
for place in /etc /run /usr/local/lib /usr/lib /lib; do
  case $place in /lib) [ ! /lib -ef /usr/lib ] || continue ;; esac
  for file in "$place/systemd/system/$prefix"[-.]*; do
    case $file in *.d | *.wants | *.requires) continue ;; esac
    [ -e "$file" ] || [ -L "$file" ] || continue
    printf 'unit %s\n' "$file"
    [ ! -f "$file" ] || texts="$texts $file"
  done
done
[ -z "$texts" ] || grep -asH '' -- $texts
