# Hands the texts of units to root, as `drover-host units` reads them.
#
#   sh lay-units.sh <fleet> <environment> <root> <text>...
fleet=$1 environment=$2 root=$3
shift 3
printf '%s' "$@" | as_root units "$fleet" "$environment" "$root"
