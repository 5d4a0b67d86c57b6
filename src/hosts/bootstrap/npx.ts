/**
 * `npx`, as far as a release needs it: `npx prisma migrate deploy` is how migrations are written down, and a host has
 * Node without npm. It starts a program of the packages that the service has brought along, and downloads nothing; what
 * it cannot find is left to an npx of the host's own, if there is one.
 */
export const NPX = `#!/bin/sh
# Laid by drover hosts bootstrap, see src/hosts/bootstrap/npx.ts.
own=\${0%/*}
rest=$(PATH=\${PATH#"$own":}; command -v npx)
beyond() {
  [ -z "$rest" ] || [ "$rest" = "$0" ] || exec "$rest" "$@"
  echo "npx: $1 is not among the packages of the service, and nothing is downloaded on a host" >&2
  exit 127
}
skip=0
for word; do
  case $word in
    --) skip=$((skip + 1)); break ;;
    -y | --yes | --no | --no-install | -q | --quiet) skip=$((skip + 1)) ;;
    -*) beyond "$@" ;;
    *) break ;;
  esac
done
[ $# -gt $skip ] || { echo 'npx: which program?' >&2; exit 2; }
folder=$PWD
name=$(shift $skip; printf '%s' "$1")
until [ -x "$folder/node_modules/.bin/$name" ]; do
  [ -n "$folder" ] || beyond "$@"
  folder=\${folder%/*}
done
shift $((skip + 1))
PATH=$folder/node_modules/.bin:$PATH
export PATH
exec "$folder/node_modules/.bin/$name" "$@"
`
