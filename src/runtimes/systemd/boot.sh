# unbooted <prefix> <unit>...: a line `unbooted <unit>` for each that nothing starts at the next boot, and for the
# target of them all.
unbooted() {
  wants=/etc/systemd/system/$1.target.wants
  [ -e "/etc/systemd/system/multi-user.target.wants/$1.target" ] || printf 'unbooted %s.target\n' "$1"
  shift
  for unit; do [ -e "$wants/$unit" ] || printf 'unbooted %s\n' "$unit"; done
}
