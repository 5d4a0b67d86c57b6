#!/bin/bash
# The host's half of the limit: what has to happen on a host whatever tool does it, put together by hand.
#   live                       the commit that is live, then "service tree" of each service; nothing when there is none
#   first <commit>             stdin: the built fleet as an archive; unpack it and start everything
#   release <commit> <deadline> <service:tree>...
#                              stdin: sources of these services as an archive; lay them, start them beside the old, stop the old
#   back                       start what every service ran before beside what it runs, and stop that
#   lay                        the upstreams of nginx, slot a first
#   keep | swap | settle       have both running; nginx over to the other; stop the one that is not live
# /opt/limit/releases/<service>/<tree>/ is a built service, slots/<service>.<slot> a link to one, and live/<service>
# says "<slot> <tree> <tree before>".
set -euo pipefail
shopt -s nullglob
cd /opt/limit
source ./services # language[<service>], port_a[<service>], port_b[<service>], tier[<service>], TIERS

state() { read -r slot tree before <"live/$1"; }
other() { [ "$1" = a ] && echo b || echo a; }
port() { local -n ports=port_$2; echo "${ports[$1]}"; }

# Starts "service tree slot" of each argument, waits for all of them, then stops those in the other slots.
# In one go, or, where ORDERED is set, one tier after the other.
replace() {
  local deadline=$1 each; shift
  [ $# -gt 0 ] || return 0
  local -a new=() old=()
  for each; do
    IFS=: read -r service tree slot <<<"$each"
    ln -sfn "../releases/$service/$tree/services/$service" "slots/$service.$slot"
    new+=("limit-$service@$slot")
    old+=("limit-$service@$(other "$slot")")
  done
  if ! start_all "$deadline" "$@"; then
    systemctl stop "${new[@]}"
    systemctl reset-failed "${new[@]}" 2>/dev/null || true
    return 1
  fi
  systemctl stop --no-block "${old[@]}"
  for each; do
    IFS=: read -r service tree slot <<<"$each"
    before=none
    [ ! -e "live/$service" ] || read -r _ before _ <"live/$service"
    echo "$slot $tree $before" >"live/$service"
  done
}

start_all() {
  local deadline=$1 each now; shift
  for now in $([ -n "${ORDERED:-}" ] && echo $TIERS || echo all); do
    local -a units=() waits=()
    for each; do
      IFS=: read -r service tree slot <<<"$each"
      [ "$now" = all ] || [ "$now" = "${tier[$service]}" ] || continue
      units+=("limit-$service@$slot")
      waits+=("limit-$service@$slot=$(port "$service" "$slot")")
    done
    [ ${#units[@]} -gt 0 ] || continue
    systemctl start --no-block "${units[@]}"
    python3 ./wait.py "$deadline" "${waits[@]}" || return 1
  done
}

# Packages of the release before, by hard links, where the list of them has not changed.
packages() {
  local service=$1 new=$2 old=$3 list=$4 folder=$5
  if [ -e "$old/$folder" ] && cmp -s "$new/$list" "$old/$list"; then cp -al "$old/$folder" "$new/$folder"
  elif [ "$folder" = node_modules ]; then (cd "$new" && npm ci --omit=dev >/dev/null)
  else pip/bin/pip install -q -r "$new/$list" --target "$new/$folder"; fi
}

build() {
  local service=$1 tree=$2 sources=$3
  local place=releases/$service/$tree
  local new=$place/services/$service old=slots/$service.none
  [ ! -e "live/$service" ] || { state "$service"; old=slots/$service.$slot; }
  [ ! -e "$new" ] || return 0
  mkdir -p "$place/services"
  mv "$sources/services/$service" "$new"
  cp -al "$sources/packages" "$place/packages"
  case ${language[$service]} in
    node) packages "$service" "$new" "$old" package-lock.json node_modules ;;
    python) packages "$service" "$new" "$old" requirements.txt .packages ;;
    go) (cd "$new" && go build -buildvcs=false -trimpath -o "bin/$service" ./src) ;;
  esac
}

build_all() { # <sources> <service:tree>...
  local sources=$1 each; shift
  local -a jobs=()
  for each; do build "${each%%:*}" "${each#*:}" "$sources" & jobs+=($!); done
  for each in "${jobs[@]}"; do wait "$each"; done
}

with_slots() { # each "service:tree" with the slot that is free
  local each
  for each; do
    local service=${each%%:*} slot=b
    [ ! -e "live/$service" ] || read -r slot _ <"live/$service"
    echo "$each:$(other "$slot")"
  done
}

# The live slot first, the other as its spare; without arguments slot a first, as it is for good.
upstreams() {
  local service first
  for service in "${!language[@]}"; do
    first=a
    [ $# = 0 ] || first=$(read -r slot _ <"live/$service"; echo "$slot")
    echo "upstream pakashop_$service { server 127.0.0.1:$(port "$service" "$first") max_fails=0; server 127.0.0.1:$(port "$service" "$(other "$first")") max_fails=0 backup; keepalive 16; }"
  done >upstreams.conf
}

all_back() { # what each service ran before, in the slot that is free
  for file in live/*; do
    read -r slot tree before <"$file"
    echo "${file#live/}:$before:$(other "$slot")"
  done
}

flip() { # the records say that the other one is live
  for file in live/*; do
    read -r slot tree before <"$file"
    echo "$(other "$slot") $before $tree" >"$file"
  done
}

command=$1; shift
case $command in
  live)
    [ -e commit ] || exit 0
    cat commit
    for file in live/*; do read -r _ tree _ <"$file"; echo "${file#live/} $tree"; done
    ;;
  pack) # the built fleet of these sources as an archive, made beforehand
    mkdir incoming; tar -x -C incoming
    build_all incoming "$@"
    tar -c releases | zstd -q
    rm -rf incoming releases
    ;;
  first)
    zstd -dcq | tar -x
    replace 60 $(with_slots $(cd releases; for folder in */*; do echo "${folder/\//:}"; done))
    echo "$1" >commit
    ;;
  release)
    commit=$1 deadline=$2; shift 2
    incoming=$(mktemp -d incoming.XXXX); tar -x -C "$incoming"
    build_all "$incoming" "$@"
    rm -rf "$incoming"
    replace "$deadline" $(with_slots "$@")
    echo "$commit" >commit
    ;;
  back) replace 60 $(all_back); echo before >commit ;;
  lay) upstreams ;;
  keep) upstreams live; systemctl reload nginx; start_all 60 $(all_back) ;;
  swap) flip; upstreams live; nginx -s reload; echo before >commit ;;
  settle)
    for file in live/*; do read -r slot _ <"$file"; echo "limit-${file#live/}@$(other "$slot")"; done | xargs systemctl stop
    upstreams; systemctl reload nginx
    ;;
esac
