import { createHash } from 'node:crypto'
import { LOOPBACK, listensOf } from '../listens.ts'
import type { Route, SlotRoute } from '../router.ts'
import { LOG_FORMAT, LOGGED_PATH_LENGTH } from './access-log.ts'
import { checkedPort, endpoint } from './addresses.ts'
import { renderPeerServer, renderPeers } from './peers.ts'
import { CHOICES, checkedService } from './prefix.ts'

/** What the configuration depends on besides the routes. */
export interface Machine {
  /** The prefix on the host, absolute. */
  readonly folder: string
  /** Only for a master that runs as root: who the workers are. They must be able to walk into the prefix. */
  readonly user?: { readonly name: string; readonly group: string }
  /** How many files a process may open here. */
  readonly files: number
}

export interface Shape {
  /** Content name: two shapes with one id are the same configuration. */
  readonly id: string
  readonly configuration: string
}

/** How a token looks; anything else in the header counts as no token. */
export const TOKEN_PATTERN = '^[A-Za-z0-9]{16,64}$'

const MOST_FILES = 65_536
const MOST_CONNECTIONS = 8_192
/** Files of a worker that are not connections: logs, temporary files. */
const SPARE_FILES = 64

/** Stands for the id in the text that the id is made of, so that a host can tell whether a shape is as it was laid. */
export const UNNAMED_SHAPE = 'shape'
/** Digits of a SHA-256 in hex. */
export const SHAPE_ID_LENGTH = 16

export function renderShape(routes: readonly Route[], machine: Machine): Shape {
  const id = createHash('sha256')
    .update(renderConfiguration(routes, machine, UNNAMED_SHAPE))
    .digest('hex')
    .slice(0, SHAPE_ID_LENGTH)
  return { id, configuration: renderConfiguration(routes, machine, id) }
}

/** A request body is read whole before it is passed on, so that a request can be repeated. An answer is not held back. */
const PROXYING = `
    keepalive_timeout 650s;
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_buffer_size 64k;
    large_client_header_buffers 4 32k;
    underscores_in_headers on;
    recursive_error_pages on;

    proxy_http_version 1.1;
    proxy_redirect off;
    proxy_buffering off;
    proxy_buffer_size 32k;
    proxy_buffers 8 32k;
    proxy_set_header Host $drover_host;
    proxy_set_header Connection $drover_connection;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Forwarded-For $drover_forwarded_for;
    proxy_set_header X-Forwarded-Proto $drover_proto;
    proxy_set_header X-Forwarded-Host $drover_forwarded_host;
    proxy_set_header X-Drover-Service $drover_held;
    proxy_set_header X-Drover-Peer $drover_passed_on;
`

/**
 * All paths but one are relative: those of directives to the prefix, those of file tests and sockets to the working
 * directory of the workers. So no character of the prefix can be taken for a variable, and no socket's path is too long.
 */
function renderConfiguration(routes: readonly Route[], machine: Machine, id: string): string {
  const sorted = routes.toSorted((a, b) => (a.service < b.service ? -1 : 1))
  const files = Math.min(MOST_FILES, machine.files)
  return `# Written by Drover, shape ${id}. A change by hand is lost with the next change of shape.
daemon on;
${machine.user === undefined ? '' : `user ${quoted(machine.user.name)} ${quoted(machine.user.group)};\n`}working_directory ${quoted(machine.folder)};
pid nginx.pid;
# Lower levels name requests with their query strings, which may hold secrets; the access log has their outcome.
error_log shapes/${id}/error.log alert;
worker_processes auto;
worker_rlimit_nofile ${files};
# How long a worker of an earlier shape may finish what it has begun.
worker_shutdown_timeout 10m;

events {
    worker_connections ${Math.min(MOST_CONNECTIONS, files - SPARE_FILES)};
}

${sorted.length === 0 ? '' : renderHttp(sorted, id)}`
}

function renderHttp(routes: readonly Route[], id: string): string {
  const own = routes.filter((route) => 'slotPorts' in route)
  const others = routes.filter((route) => 'peers' in route)
  const servers = [
    ...(own.length === 0 ? [] : [renderServer(own, id)]),
    ...(others.length === 0 ? [] : [renderPeerServer(others, id)]),
  ]
  return `http {
${renderLog()}
${renderMaps(routes)}${PROXYING}
${own.map(renderUpstreams).join('')}${renderPeers(others)}${servers.join('')}}
`
}

function renderLog(): string {
  return `    log_format drover escape=default '${LOG_FORMAT}';
    access_log access.log drover;
    client_body_temp_path temporary/body;
    proxy_temp_path temporary/proxy;
    fastcgi_temp_path temporary/fastcgi;
    uwsgi_temp_path temporary/uwsgi;
    scgi_temp_path temporary/scgi;
    server_tokens off;
    default_type application/json;
`
}

function renderMaps(routes: readonly Route[]): string {
  const ports = routes.map((route) => `        ${checkedPort(route.port)} ${checkedService(route.service)};\n`)
  return `    map_hash_max_size 16384;
    map_hash_bucket_size 128;
    map $server_port $drover_service {
${ports.join('')}    }
    map $http_x_drover_set $drover_token {
        default none;
        "~${TOKEN_PATTERN}" $http_x_drover_set;
    }
    # What another host's router passes on; from a program of this host the header means nothing.
    map "$server_addr $http_x_drover_peer" $drover_sender {
        default client;
        "~^${LOOPBACK.replaceAll('.', '[.]')} " client;
        "~ 1$" peer;
    }
    map "$drover_set $drover_sender" $drover_via {
        default pending;
        "live/ client" live;
        "live/ peer" peer;
    }
    map $drover_to $drover_passed_on {
        volatile;
        default "";
        "~[.]peers$" 1;
    }
    # Who may be answered late by another host: what must not be asked twice, and streams.
    map "$request_method:$http_upgrade:$http_accept" $drover_patient {
        default 1;
        "~^(GET|HEAD|OPTIONS)::(?!text/event-stream)" "";
    }
    # For the waiting room alone.
    map $drover_to $drover_held {
        volatile;
        default "";
        "~[.]hold$" $drover_service;
    }
    map $uri $drover_path {
        default $uri;
        "~^(?<drover_head>.{${LOGGED_PATH_LENGTH}})" $drover_head;
    }
    map $http_upgrade $drover_connection {
        default upgrade;
        "" "";
    }
    # The router of another host adds nothing that the service would not see at home.
    map $drover_sender $drover_forwarded_for {
        default $proxy_add_x_forwarded_for;
        peer $http_x_forwarded_for;
    }
    # A proxy in front of this one knows the client; without one, nginx does.
    map $http_x_forwarded_proto $drover_proto {
        default $http_x_forwarded_proto;
        "" $scheme;
    }
    map $http_x_forwarded_host $drover_forwarded_host {
        default $http_x_forwarded_host;
        "" $http_host;
    }
    # A client of HTTP/1.0 may leave it out; a service that is asked in HTTP/1.1 must be given one.
    map $http_host $drover_host {
        default $http_host;
        "" localhost;
    }
`
}

/**
 * Kept-alive connections are given up after 1 s without use, before any common server does so by itself (gunicorn
 * after 2 s, Node and uvicorn after 5 s): a POST on a connection that the server is just closing cannot be repeated.
 * `max_fails=0`: a slot is never taken out by nginx; that is Drover's decision.
 */
function renderUpstreams({ service, slotPorts }: SlotRoute): string {
  const [a, b] = slotPorts.map((port) => `server ${endpoint(LOOPBACK, port)} max_fails=0`)
  const kept = 'keepalive 32; keepalive_timeout 1s;'
  return `    upstream ${service}.a { ${a}; ${kept} }
    upstream ${service}.b { ${b}; ${kept} }
    upstream ${service}.ab { ${a}; ${b} backup; ${kept} }
    upstream ${service}.ba { ${b}; ${a} backup; ${kept} }
`
}

/** Only an upstream of two slots has a next one; what is not safe to repeat is not repeated once it was sent. */
function renderServer(routes: readonly SlotRoute[], id: string): string {
  const listens = routes.flatMap(listensOf).map(({ address, port }) => `        listen ${endpoint(address, port)};\n`)
  return `
    server {
${listens.join('')}
        proxy_connect_timeout 5s;
        proxy_read_timeout 1h;
        proxy_send_timeout 1h;
        proxy_next_upstream error timeout http_500 http_502 http_503 http_504;
        error_page 418 = @unreleased;
        error_page 419 = @hold;

        set $drover_to $drover_service.none;
${renderChoice('        ')}        return 418;

        location / {
            proxy_pass http://$drover_to;
            error_page 420 = @closing;
            error_page 502 504 = @again;
            if (-e shapes/${id}/closing) { return 420; }
        }

        # A reload closes connections that rest. Before it, clients are told to come back on new ones.
        location @closing {
            keepalive_timeout 0;
            proxy_pass http://$drover_to;
            error_page 502 504 = @again;
        }

        # The slot was stopped while a long body was read, and has got nothing: by now the live set says something else.
        location @again {
            proxy_pass http://$drover_to;
            error_page 418 = @unreleased;
            error_page 419 = @hold;
            if ($upstream_bytes_sent ~ [1-9]) { return 502; }
${renderChoice('            ')}            return 418;
        }

        location @hold {
            proxy_pass http://unix:hold.sock:;
            error_page 502 504 = @left;
        }

        # The same for a waiting room that was closed. What it got before it died is not repeated.
        location @left {
            proxy_pass http://$drover_to;
            error_page 418 419 = @full;
            if ($upstream_bytes_sent ~ [1-9]) { return 418; }
${renderChoice('            ')}            return 418;
        }

        location @full {
            add_header Retry-After 1 always;
            return 503 '{"error":"not available at the moment"}';
        }

        location @unreleased {
            add_header Retry-After 1 always;
            return 503 '{"error":"not released"}';
        }
    }
`
}

/**
 * The first file that is there decides. The tests are made twice: those of the first round may have stood on both sides
 * of a switch and have found neither set's file.
 */
function renderChoice(indent: string): string {
  const tests = CHOICES.map((choice) => {
    const end = choice === 'hold' ? 'return 419;' : 'break;'
    return `${indent}if (-e $drover_set$drover_service.${choice}) { set $drover_to $drover_service.${choice}; ${end} }\n`
  })
  const set = `${indent}set $drover_set live/;\n${indent}if (-e pending/$drover_token) { set $drover_set pending/$drover_token.; }\n`
  return [set, ...tests, `${indent}# Once more: a switch may have come between the tests.\n`, set, ...tests].join('')
}

/** A word of nginx.conf, for directives that know no variables. */
function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`
}
