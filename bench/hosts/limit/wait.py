"""wait.py <deadline, s> <unit>=<port>...: waits until all are ready. Ends with 1 when one exits or the deadline passes."""

import http.client
import os
import subprocess
import sys
import time

deadline = time.monotonic() + float(sys.argv[1])
waiting = {unit: int(port) for unit, port in (each.split("=") for each in sys.argv[2:])}


def main_pids():
    """The processes of the units, once systemd has started them all."""
    while True:
        show = ["systemctl", "show", "--property=Id,MainPID,ActiveState", *waiting]
        text = subprocess.run(show, capture_output=True, text=True, check=True).stdout
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
        pids = {block["Id"].removesuffix(".service"): int(block["MainPID"]) for block in blocks}
        if any(block["ActiveState"] in ("failed", "activating") and block["MainPID"] == "0" for block in blocks):
            sys.exit("one did not start")
        if all(pids.values()):
            return pids
        time.sleep(0.01)


def ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


pids = main_pids()
while waiting:
    for unit, port in list(waiting.items()):
        if not os.path.exists(f"/proc/{pids[unit]}"):
            sys.exit(f"{unit} exited")
        if ready(port):
            del waiting[unit]
    if time.monotonic() > deadline:
        sys.exit(f"never ready: {' '.join(waiting)}")
    time.sleep(0.01)
