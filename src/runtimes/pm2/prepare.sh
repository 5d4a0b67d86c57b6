# Names every program that is missing for PM2 to work, one `missing <program>` line each, and says `daemon runs` when
# the daemon of this home does.
#
#   sh prepare.sh <pm2 program> <PM2_HOME>
for program in "$1" node flock awk find grep tail; do
  command -v "$program" >/dev/null || printf 'missing %s\n' "$program"
done
# The processes of a slot are found by their environments, which end with NULs.
printf 'a\0' | grep -qzx a 2>/dev/null || printf 'missing GNU grep\n'
[ -r /proc/self/environ ] || printf 'missing /proc\n'
# The pid file outlives a daemon that was killed, and its number may be another process's by now.
pid=$(cat "$2/pm2.pid" 2>/dev/null) && [ -S "$2/rpc.sock" ] &&
  grep -qaF "God Daemon ($2)" "/proc/$pid/cmdline" 2>/dev/null && echo 'daemon runs'
exit 0
