# Ends what runs in slots before they are laid anew, and sees to it that nothing starts there. A slot that is not wanted
# and in which nothing ran when it was looked at costs nothing.
#
#   sh clear.sh <fleet> <environment> (<service@slot> <slot folder> <something ran 0|1>)...
fleet=$1 environment=$2 names=''
shift 2
while [ $# -gt 0 ]; do
  if [ -e "$2/wanted" ] || [ "$3" = 1 ]; then
    rm -f -- "$2/wanted" || exit 1
    names="$names $1"
  fi
  shift 3
done
[ -z "$names" ] || as_root stop "$fleet" "$environment" $names
