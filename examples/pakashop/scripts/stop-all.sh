#!/bin/bash
# Stops what deploy.sh has started on a machine without systemd.
cd "$(dirname "$0")/.." || exit 2
source scripts/units.sh
for service in "${!PORTS[@]}"; do stop "$service" & done
wait
