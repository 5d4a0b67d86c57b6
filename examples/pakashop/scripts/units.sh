# What deploy.sh needs of systemd, for machines that have none: sourced, not run.
#
# Each service is one process on its stable port, started by hand with the environment of the deploy script, its output in
# $RUN_DIR/<service>.log and its process id in $RUN_DIR/<service>.pid. PORT_OFFSET moves all ports.

RUN_DIR=${RUN_DIR:-$PWD/run}
mkdir -p "$RUN_DIR"

declare -A PORTS=(
  [gateway]=8000 [backend]=3080 [config]=3085 [notifications]=3090 [tracking]=3120 [moderation]=3110
  [recommendations]=3100 [scheduler]=3004 [search]=3005 [analytics]=3007 [fraud]=3006 [coupon]=3008 [loyalty]=3010
  [whatsapp]=3009 [reports]=3011 [reconciliation]=3012 [invoicing]=3013 [pricing]=3014 [settlement]=3016
)

port_of() { echo $((PORTS[$1] + ${PORT_OFFSET:-0})); }

has_units() { [ -d /run/systemd/system ] && systemctl cat pakashop-gateway >/dev/null 2>&1; }

restart() {
  if has_units; then sudo systemctl restart "pakashop-$1"; return; fi
  stop "$1"
  start "$1"
}

is_active() {
  if has_units; then sudo systemctl is-active --quiet "pakashop-$1"; return; fi
  local pid
  pid=$(cat "$RUN_DIR/$1.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null
}

# As systemd does it: SIGTERM, then SIGKILL after TimeoutStopSec.
stop() {
  is_active "$1" || return 0
  local pid
  pid=$(cat "$RUN_DIR/$1.pid")
  kill -TERM "$pid"
  for _ in $(seq "$((${STOP_SECONDS:-90} * 20))"); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.05
  done
  kill -KILL "$pid"
}

start() {
  local program
  case $1 in
    search | analytics) program="bin/$1" ;;
    moderation | recommendations) program="venv/bin/python main.py" ;;
    *) program="node server.js" ;;
  esac
  (
    cd "services/$1"
    export PORT CONFIG_URL GATEWAY_URL BACKEND_URL
    PORT=$(port_of "$1")
    CONFIG_URL=http://127.0.0.1:$(port_of config)
    GATEWAY_URL=http://127.0.0.1:$(port_of gateway)
    BACKEND_URL=http://127.0.0.1:$(port_of backend)
    # shellcheck disable=SC2086
    setsid $program >> "$RUN_DIR/$1.log" 2>&1 < /dev/null &
    echo $! > "$RUN_DIR/$1.pid"
  )
}

reload_nginx() {
  if has_units; then sudo systemctl reload nginx; return; fi
  if [ -n "$NGINX_PREFIX" ]; then nginx -p "$NGINX_PREFIX" -c "${NGINX_CONF:-nginx.conf}" -s reload; fi
}
