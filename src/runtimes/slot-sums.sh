# What slots are started from: for each file of theirs that is there, a line `sum <sha256>  <file>`. Needs `root`; the
# arguments are the folders of slots.
before=$#
for slot; do
  { IFS= read -r json <"$slot/slot.json"; } 2>/dev/null || continue
  service=${slot%/*} config=${json#*'"config":"'}
  set -- "$@" "$slot/run" "$slot/env" "$root/env/${service##*/}/${config%%\"*}.env"
done
shift "$before"
[ $# -eq 0 ] || sha256sum -- "$@" 2>/dev/null | sed 's/^/sum /'
