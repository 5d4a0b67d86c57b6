# What a host lacks to run slots under systemd, one line each, and what `drover-host version` says.
#
#   sh prepare.sh <user of services> <programs, separated by blanks>
for program in $2; do
  command -v "$program" >/dev/null || printf 'missing %s\n' "$program"
done
[ -d /run/systemd/system ] || echo 'no-systemd'
systemctl --version 2>/dev/null | sed 's/^systemd \([0-9]*\).*/systemd \1/;q'
id -u "$1" >/dev/null 2>&1 || echo 'no-user'
case "$(id -u) $(id -nG) " in '0 '* | *' systemd-journal '* | *' adm '*) ;; *) echo 'no-journal' ;; esac
as_root version
