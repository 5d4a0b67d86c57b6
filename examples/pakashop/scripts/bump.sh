#!/bin/bash
# The smallest change of a service, or of all of them: scripts/bump.sh <service|all> <version>
set -e
cd "$(dirname "$0")/.."
service=$1 version=$2
[ -n "$service" ] && [ -n "$version" ] || { echo "usage: scripts/bump.sh <service|all> <version>" >&2; exit 2; }
[ "$service" = all ] && service='*'
# Go embeds the file, so it lies beside the source there.
for file in services/$service/VERSION services/$service/src/VERSION; do
  [ -e "$file" ] && echo "$version" > "$file" && changed=yes
done
[ -n "$changed" ] || { echo "there is no service $service" >&2; exit 1; }
