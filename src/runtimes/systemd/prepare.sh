# What a host lacks to run slots under systemd, one line each, and what `drover-host version` says.
#
#   sh prepare.sh <user of services> <programs, separated by blanks> <prefix of units> <first line of units>
for program in $2; do
  command -v "$program" >/dev/null || printf 'missing %s\n' "$program"
done
[ -d /run/systemd/system ] || echo 'no-systemd'
systemctl --version 2>/dev/null | sed 's/^systemd \([0-9]*\).*/systemd \1/;q'
id -u "$1" >/dev/null 2>&1 || echo 'no-user'
case "$(id -u) $(id -nG) " in '0 '* | *' systemd-journal '* | *' adm '*) ;; *) echo 'no-journal' ;; esac
units=''
for file in "/etc/systemd/system/$3"-*@.service "/etc/systemd/system/$3-router.service"; do
  { IFS= read -r first <"$file"; } 2>/dev/null && [ "$first" = "$4" ] || continue
  name=${file##*/}
  case $name in
    *@.service) units="$units ${name%.service}a.service ${name%.service}b.service" ;;
    *) units="$units $name" ;;
  esac
done
[ -z "$units" ] || unbooted "$3" $units
as_root version
