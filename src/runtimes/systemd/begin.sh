# Marks slots as wanted and lets systemd start them. What lies in them is on the disk when it returns: a host that loses
# its power comes back with these slots.
#
#   sh begin.sh <fleet> <environment> <root> (<service@slot> <slot folder> <environment file>)...
fleet=$1 environment=$2 root=$3
shift 3
count=$(($# / 3)) names=''
read -r boot </proc/sys/kernel/random/boot_id
read -r up rest </proc/uptime
since="$boot ${up%.*}${up#*.}0000 $(date +%s%6N)"
while [ "$count" -gt 0 ]; do
  [ -r "$3" ] || { printf 'cannot read %s\n' "$3" >&2; exit 1; }
  printf '%s\n' "$since" >"$2/since" && : >"$2/wanted" || exit 1
  names="$names $1"
  set -- "$@" "$1" "$3" "$2/env"
  shift 3
  count=$((count - 1))
done
sync -f "$root" &
# For each slot a line `<service@slot> <bytes>` and both environment files, one after the other.
LC_ALL=C awk 'BEGIN {
  for (i = 1; i < ARGC; i += 3) {
    text = ""
    for (j = i + 1; j <= i + 2; j++) {
      while ((got = (getline line <ARGV[j])) > 0) text = text line "\n"
      if (got < 0) exit 1
      close(ARGV[j])
    }
    printf "%s %d\n%s", ARGV[i], length(text), text
  }
}' "$@" | as_root start "$fleet" "$environment" $names
status=$?
wait
exit "$status"
