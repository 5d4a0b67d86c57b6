# Names every program that is missing for PM2 to work, one `missing <program>` line each.
#
#   sh prepare.sh <pm2 program>
for program in "$1" node flock awk find grep tail; do
  command -v "$program" >/dev/null || printf 'missing %s\n' "$program"
done
# The processes of a slot are found by their environments, which end with NULs.
printf 'a\0' | grep -qzx a 2>/dev/null || printf 'missing GNU grep\n'
[ -r /proc/self/environ ] || printf 'missing /proc\n'
