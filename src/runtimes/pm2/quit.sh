# Ends the PM2 of one home, by its environment, so that a hung one and a second one are met too. SIGTERM, and SIGKILL
# after 3 s. Its command line is not used: it would start a PM2 in order to end it.
#
#   sh quit.sh <PM2 home>
home=$1
daemons() {
  grep -lzxF "PM2_HOME=$home" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3
}
polls=0
while found=$(daemons) && [ -n "$found" ]; do
  if [ "$polls" -eq 0 ]; then kill -TERM $found 2>/dev/null; fi
  if [ "$polls" -ge 60 ]; then kill -KILL $found 2>/dev/null; fi
  [ "$polls" -lt 200 ] || exit 1
  sleep 0.05
  polls=$((polls + 1))
done
exit 0
