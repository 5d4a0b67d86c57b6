# Waits until the launcher of each slot has run, at most the given time from the beginning: PM2 answers before that. A
# slot that is being stopped meanwhile is not waited for.
# Says `not-begun <slot folder>` of those that did not.
#
#   sh begun.sh (<slot folder> <longest wait, ms>)...
polls=0
while [ $# -gt 0 ]; do
  slot=$1 most=$(($2 / 20))
  shift 2
  while [ ! -e "$slot/starts" ] && [ ! -e "$slot/stop" ] && [ "$polls" -lt "$most" ]; do
    sleep 0.02
    polls=$((polls + 1))
  done
  [ -e "$slot/starts" ] || printf 'not-begun %s\n' "$slot"
done
