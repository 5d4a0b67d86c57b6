"""Runs one Python service of the fleet: health, readiness, flags, faults and a graceful end."""

import json
import os
import signal
import sys
import threading
import time
import urllib.parse
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
LONGEST_DRAIN = 30


class Answer(Exception):
    """An answer other than 200: raise it, or return it from a handler."""

    def __init__(self, status, body):
        super().__init__(status)
        self.status, self.body = status, body


class Request:
    """What a handler is given: the last part of the path, the query and the JSON of the body."""

    def __init__(self, handler, url):
        self.rest = urllib.parse.unquote(url.path.rpartition("/")[2])
        self.query = dict(urllib.parse.parse_qsl(url.query))
        length = int(handler.headers.get("content-length") or 0)
        self._body = handler.rfile.read(length)

    def json(self):
        try:
            return json.loads(self._body)
        except ValueError:
            raise Answer(400, {"error": "body is not JSON"}) from None


class Service:
    """`routes` maps ('GET', '/moderation') to a function of a Request; a path that ends in '/' takes one more part."""

    def __init__(self, folder, needs, stores, routes):
        folder = Path(folder)
        self.behaviour = json.loads((folder / "behaviour.json").read_text())
        self.identity = {
            "service": folder.name,
            "version": (folder / "VERSION").read_text().strip(),
            "release": os.environ.get("DROVER_RELEASE"),
            "slot": os.environ.get("DROVER_SLOT"),
            "pid": os.getpid(),
        }
        self.needs, self.stores, self.routes = needs, stores, routes
        self.flags, self.details = {}, {}
        self.ready = self.stopping = False
        self.served = self.busy = 0
        self.lock = threading.Condition()

    def run(self):
        """Serves until the process is told to stop."""
        if self.behaviour["exitAtStart"]:
            sys.exit("exitAtStart: giving up")
        server = Server((os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])), handler_for(self))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop(server))
        print(f"{self.identity['service']} {self.identity['version']} listens on {server.server_port}", flush=True)
        threading.Thread(target=self._prepare, daemon=True).start()
        server.serve_forever(poll_interval=0.05)
        server.server_close()
        with self.lock:
            self.lock.wait_for(lambda: self.busy == 0, timeout=LONGEST_DRAIN)

    def _stop(self, server):
        if self.behaviour["ignoreTerm"] or self.stopping:
            return
        self.stopping = True
        # From a thread of its own, because shutdown waits for the loop that this signal interrupts.
        threading.Thread(target=server.shutdown, daemon=True).start()

    def _prepare(self):
        steps = [(peer, lambda peer=peer: self._ask(peer)) for peer in self.needs]
        steps += [(name, lambda check=check: check() or {}) for name, check in self.stores.items()]
        for name, attempt in steps:
            self._until(name, attempt)
        self.ready = not self.behaviour["neverReady"]

    def _until(self, name, attempt):
        pause = FIRST_PAUSE
        while not self._try(name, attempt):
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _try(self, name, attempt):
        try:
            self.details[name] = {"ok": True, **attempt()}
        except Exception as error:  # whatever stands in the way is shown to who asks, and tried again
            self.details[name] = {"ok": False, "detail": str(error) or type(error).__name__}
        return self.details[name]["ok"]

    def _ask(self, peer):
        """While the release is not live yet, DROVER_SET leads the question to the release's own services."""
        address = urllib.parse.urlsplit(os.environ[f"{peer.upper()}_URL"])
        connection = HTTPConnection(address.hostname, address.port, timeout=5)
        try:
            headers = {"x-drover-set": os.environ["DROVER_SET"]} if os.environ.get("DROVER_SET") else {}
            connection.request("GET", "/flags" if peer == "config" else "/health/ready", headers=headers)
            response = connection.getresponse()
            if response.status >= 300:
                raise RuntimeError(f"{peer} answered {response.status}")
            body = json.loads(response.read())
        finally:
            connection.close()
        self.flags.update(body.get("flags", {}))
        return {"version": body["version"]}

    def answer(self, handler):
        """The status and the body for one request."""
        url = urllib.parse.urlsplit(handler.path)
        request = Request(handler, url)
        if url.path == "/health":
            return 200, {"status": "ok", **self.identity}
        if url.path == "/version":
            return 200, self.identity
        if url.path == "/health/ready":
            return self._readiness()
        if not self.ready:
            return 503, {"error": "not ready"}
        if self._at_fault(handler.command):
            return 500, {"error": "failAfter"}
        route = self.routes.get((handler.command, url.path))
        route = route or self.routes.get((handler.command, url.path.rpartition("/")[0] + "/"))
        if route is None:
            return 404, {"error": f"no {handler.command} {url.path} here"}
        return 200, route(request)

    def _readiness(self):
        if self.ready:
            for name, check in self.stores.items():
                self._try(name, lambda check=check: check() or {})
        ready = self.ready and not self.stopping and all(detail["ok"] for detail in self.details.values())
        body = {"ready": ready, "stopping": self.stopping, **self.identity, "dependencies": self.details}
        return (200 if ready else 503), body

    def _at_fault(self, method):
        with self.lock:
            self.served += 1
        time.sleep(self.behaviour["slowMs"] / 1000)
        return method == "GET" and 0 < self.behaviour["failAfter"] < self.served


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # idle kept connections would hold up the end; requests in flight are waited for by `busy`
    request_queue_size = 128


def handler_for(service):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 65
        # One packet for each answer: status line and body apart would wait for each other's acknowledgement.
        wbufsize = -1
        disable_nagle_algorithm = True

        def respond(self):
            with service.lock:
                service.busy += 1
            try:
                status, body = guarded(service, self)
                self.send(status, body)
            finally:
                with service.lock:
                    service.busy -= 1
                    service.lock.notify_all()

        do_GET = do_POST = do_PUT = do_DELETE = respond

        def send(self, status, body):
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            if service.stopping:
                self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(text)
            self.wfile.flush()

        def log_message(self, *_):
            pass

    return Handler


def guarded(service, handler):
    try:
        return service.answer(handler)
    except Answer as answer:
        return answer.status, answer.body
    except Exception as error:
        print(f"{handler.command} {handler.path}: {error!r}", file=sys.stderr, flush=True)
        return 500, {"error": str(error) or type(error).__name__}
