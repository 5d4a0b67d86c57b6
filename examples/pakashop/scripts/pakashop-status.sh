#!/bin/bash
# One line for each service: its process, its readiness, its version. Exit code 1 when one is not ready.
cd "$(dirname "$0")/.." || exit 2
source scripts/units.sh
bad=0
for service in $(printf '%s\n' "${!PORTS[@]}" | sort); do
  at=http://127.0.0.1:$(port_of "$service")
  is_active "$service" && process=active || process=inactive
  ready=$(curl -s -o /dev/null -m 2 -w '%{http_code}' "$at/health/ready")
  version=$(curl -s -m 2 "$at/version" | grep -o '"version": *"[^"]*"' | cut -d'"' -f4)
  [ "$ready" = 200 ] || bad=1
  printf '%-16s %-6s %-9s ready %s  version %s\n' "$service" "$(port_of "$service")" "$process" "$ready" "${version:--}"
done
exit $bad
