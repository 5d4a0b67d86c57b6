# Stops slots together: nothing starts them any more, not even a boot, and no process is left.
#
#   sh end.sh <fleet> <environment> <root> (<service@slot> <slot folder>)...
fleet=$1 environment=$2 root=$3 names=''
shift 3
while [ $# -gt 0 ]; do
  rm -f -- "$2/wanted" || exit 1
  names="$names $1"
  shift 2
done
[ ! -d "$root" ] || sync -f "$root" &
as_root stop "$fleet" "$environment" $names
status=$?
wait
exit "$status"
