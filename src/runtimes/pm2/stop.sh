# Ends every process of the given slots: SIGTERM to all of them at once, SIGKILL to what is left after the drain time
# of its slot. Returns when none is left, 1 when one cannot be killed. A slot without processes is only marked.
#
#   sh stop.sh (for-good|replace) <slot folder> <drain, ms> ...
#
# `replace` ends those that were started before it began and marks nothing: PM2 starts the slots again meanwhile.
#
# The processes of a slot are those whose environment says so (DROVER_SLOT_FOLDER), and, for children that were given another
# environment, those in their sessions and below them. No list of PM2 is needed: it may have died.
mode=$1
shift
read -r boot </proc/sys/kernel/random/boot_id
newest=
if [ "$mode" = replace ]; then
  read -r stat <"/proc/$$/stat"
  fields=${stat##*) }
  newest=$(set -- $fields && echo "${20}")
fi

now() {
  read -r up rest </proc/uptime
  now=${up%.*}${up#*.}
}

# Lines `<pid> <drain, ms> <slot folder>`, one for every living process of the slots given as arguments.
members() {
  {
    while [ $# -gt 0 ]; do
      main=0
      if { read -r count ms pid ticks started_boot key <"$1/starts"; } 2>/dev/null && [ "$started_boot" = "$boot" ]; then
        main="$pid $ticks"
      fi
      printf 'want %s %s %s\n' "${main%% *}" "${main##* }" "$2 $1"
      shift 2
    done
    # The third line of a `want` is the slot: the rest of the line, blanks included.
    grep -zaH '^DROVER_SLOT_FOLDER=' /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n'
    cat /proc/[0-9]*/stat 2>/dev/null
  } | awk -v self="$$" -v newest="$newest" '
    /^want / {
      slot = $0
      sub(/^want [^ ]+ [^ ]+ [^ ]+ /, "", slot)
      drain[slot] = $4
      if ($2 > 0) { main_slot[$2] = slot; main_ticks[$2] = $3 }
      next
    }
    /^\/proc\/[0-9]+\/environ:DROVER_SLOT_FOLDER=/ {
      split($0, parts, "/")
      slot = $0
      sub(/^[^=]*=/, "", slot)
      if (slot in drain) owner[parts[3]] = slot
      next
    }
    /^[0-9]+ \(/ {
      line = $0
      sub(/^.*\) /, "", line)
      split(line, field, " ")
      if (field[1] == "Z" || field[1] == "X" || $1 == self) next
      if (newest != "" && field[20] + 0 > newest + 0) next
      parent[$1] = field[2]
      session[$1] = field[4]
      if ($1 in main_slot && main_ticks[$1] == field[20]) owner[$1] = main_slot[$1]
    }
    END {
      for (pid in owner) if (pid in session) session_owner[session[pid]] = owner[pid]
      do {
        found = 0
        for (pid in session) {
          if (pid in owner) continue
          if (session[pid] in session_owner) owner[pid] = session_owner[session[pid]]
          else if (parent[pid] in owner) owner[pid] = owner[parent[pid]]
          else continue
          found = 1
        }
      } while (found)
      for (pid in session) if (pid in owner) print pid, drain[owner[pid]], owner[pid]
    }'
}

# Builtins only: this is asked often. A dead process that nobody has collected yet is dead.
running() {
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  case ${stat##*) } in Z*|X*) return 1 ;; esac
}

pair=
for argument; do
  if [ "$mode" = replace ]; then
    break
  elif [ -z "$pair" ]; then
    pair=$argument
  else
    [ ! -d "$pair" ] || : >"$pair/stop" || exit 1
    pair=
  fi
done

now
begun=$now termed=' '
while :; do
  found=$(members "$@")
  [ -n "$found" ] || exit 0
  now
  waiting='' next=$((now + 100))
  while read -r pid drain slot; do
    deadline=$((begun + drain / 10))
    case $termed in
      *" $pid "*) ;;
      *) kill -TERM "$pid" 2>/dev/null; termed="$termed$pid " ;;
    esac
    if [ "$now" -ge "$deadline" ]; then
      kill -KILL "$pid" 2>/dev/null
      if [ "$now" -ge $((deadline + 1000)) ]; then
        printf 'process %s of %s cannot be killed\n' "$pid" "$slot" >&2
        exit 1
      fi
    elif [ "$deadline" -lt "$next" ]; then
      next=$deadline
    fi
    waiting="$waiting $pid"
  done <<END
$found
END
  # Until all that were found are gone, or the next deadline; then they are looked for again, new ones included.
  while :; do
    left=''
    for pid in $waiting; do
      if running "$pid"; then left=1; break; fi
    done
    now
    [ -n "$left" ] && [ "$now" -lt "$next" ] || break
    sleep 0.05
  done
done
