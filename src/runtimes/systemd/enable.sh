# Lets the units of an environment start at the next boot again.
#
#   sh enable.sh <fleet> <environment>
as_root enable "$1" "$2"
