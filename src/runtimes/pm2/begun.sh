# Waits until the launcher of each slot has run, at most the given time: PM2 answers before that. A slot that is being
# stopped meanwhile is not waited for.
# Says `not-begun <slot folder>` of those that did not.
#
#   sh begun.sh <longest wait, ms> <slot folder>...
left=$(($1 / 20))
shift
for slot; do
  while [ ! -e "$slot/starts" ] && [ ! -e "$slot/stop" ] && [ "$left" -gt 0 ]; do
    sleep 0.02
    left=$((left - 1))
  done
  [ -e "$slot/starts" ] || printf 'not-begun %s\n' "$slot"
done
