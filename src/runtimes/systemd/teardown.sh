# Stops and removes the units of an environment, and then the slots.
#
#   sh teardown.sh <fleet> <environment> <root>
rm -f -- "$3"/slots/*/[ab]/wanted
as_root remove "$1" "$2" && rm -rf -- "$3/slots"
