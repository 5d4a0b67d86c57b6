"""What a host itself shows of an environment, as JSON: files, processes, systemd, nginx, answers. Changes nothing.

    on-host.py <root> <prefix of units> <service>=<stable port>...

Run as root, past the host's network. Nothing here asks Drover, or reads what Drover has recorded elsewhere.
"""

import http.client
import json
import os
import pwd
import re
import subprocess
import sys

ROOT, PREFIX, *PORTS = sys.argv[1:]
ROUTER = os.path.join(ROOT, "router")


def text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def names(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def version_in(folder):
    """The version that the bytes in an artifact's folder say."""
    try:
        return str(json.loads(text(os.path.join(folder, "behaviour.json")) or "{}").get("version"))
    except ValueError:
        return None


def live():
    link = os.path.join(ROUTER, "live")
    if not os.path.islink(link):
        return None
    return {"set": os.path.basename(os.readlink(link)), "files": names(link)}


def units():
    """Of every slot that systemd knows."""
    properties = "Id,ActiveState,SubState,MainPID"
    show = ["systemctl", "show", "--all", f"--property={properties}", f"{PREFIX}-*@*.service"]
    found = []
    for block in subprocess.run(show, capture_output=True, text=True).stdout.split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        match = re.fullmatch(rf"{re.escape(PREFIX)}-(.+)@([ab])\.service", unit.get("Id", ""))
        if match:
            state = f"{unit['ActiveState']}/{unit['SubState']}"
            found.append({"service": match[1], "slot": match[2], "state": state, "pid": int(unit["MainPID"])})
    return found


def owner(pid):
    return pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name


# Of the deploy user, and no command: a relay starts commands, which are told of by themselves (src/hosts/ssh/relay.pl).
OTHERS = r"nginx|sshd|\(sd-pam\)|/lib/systemd|perl -e my \(\$mark, \$size, \$text\)"


def processes():
    """What services run, whoever started it, and what the deploy user has under way beside nginx and its logins."""
    services, commands, masters = [], [], 0
    for name in names("/proc"):
        if not name.isdigit():
            continue
        try:
            user = owner(name)
            title = (text(f"/proc/{name}/cmdline") or "").replace("\0", " ").strip()
            if title.startswith("nginx: master") and ROUTER in title:
                masters += 1
            if user == "drover-services":
                folder = os.readlink(f"/proc/{name}/cwd")
                group = re.search(rf"{re.escape(PREFIX)}-(.+)@([ab])\.service", text(f"/proc/{name}/cgroup") or "")
                slot = {"service": group[1], "slot": group[2]} if group else {}
                services.append({"pid": int(name), "folder": folder, "version": version_in(folder), **slot})
            elif user == "drover" and title and not re.match(OTHERS, title):
                parent = int((text(f"/proc/{name}/stat") or "").rsplit(")", 1)[1].split()[1])
                commands.append((int(name), parent, title))
        except (OSError, KeyError, IndexError):
            continue
    return services, beside_keepers(commands), masters


def beside_keepers(commands):
    """
    All but those that keep a tunnel's socket, with the shell around each and its sleep: that changes nothing, and when its
    other end is gone it leaves by itself after 15 seconds (KEEP in src/hosts/ssh/passage.ts).
    """
    keepers = {pid: parent for pid, parent, title in commands if "name=$2 part=$3 own=" in title}
    others = [each for each in commands if each[0] not in keepers and each[1] not in keepers]
    return [f"{pid} {title[:200]}" for pid, _, title in others if pid not in keepers.values()]


def wanted():
    """Slots that a boot would start."""
    found = []
    for service in names(os.path.join(ROOT, "slots")):
        for slot in names(os.path.join(ROOT, "slots", service)):
            if os.path.exists(os.path.join(ROOT, "slots", service, slot, "wanted")):
                found.append(f"{service}.{slot}")
    return found


def waits(name):
    """
    Whether it was under way when the host last lost its power, and no newer release has come to the host since: the
    first command of one throws it away (src/hosts/script.ts).
    """
    with open("/proc/stat", encoding="utf-8") as file:
        machine = int(re.search(r"^btime (\d+)", file.read(), re.MULTILINE)[1])
    ticks = int(text("/proc/1/stat").rsplit(")", 1)[1].split()[19])
    boot = machine + ticks / os.sysconf("SC_CLK_TCK")
    return all(os.stat(os.path.join(ROOT, each)).st_mtime < boot for each in (name, "fence"))


def half_made():
    """What has not got its name yet, and what is under way."""
    pending = os.path.join(ROUTER, "pending")
    target = os.path.basename(os.readlink(pending)) if os.path.islink(pending) else None
    found = [f"work/{name}" for name in names(os.path.join(ROOT, "work")) if not waits(f"work/{name}")]
    found += [f"router/sets/{name}" for name in names(os.path.join(ROUTER, "sets")) if name.startswith(".")]
    found += [f"router/{name}" for name in names(ROUTER) if name.startswith("pending.") and name != target]
    found += [name for name in names(ROOT) if name.endswith(".part")]
    for service in names(os.path.join(ROOT, "artifacts")):
        found += [
            f"artifacts/{service}/{name}"
            for name in names(os.path.join(ROOT, "artifacts", service))
            if name.startswith(".") and not name.endswith(".inventory")
        ]
    return found


def answer(port):
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=8)
    try:
        connection.request("GET", "/version")
        response = connection.getresponse()
        body = response.read().decode("utf-8", "replace")
        if response.status != 200:
            return {"failed": str(response.status)}
        said = json.loads(body)
        return {"version": str(said["version"]), "slot": said["slot"], "pid": said["pid"]}
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        return {"failed": repr(error)}
    finally:
        connection.close()


services, commands, masters = processes()
print(
    json.dumps(
        {
            "live": live(),
            "fence": (text(os.path.join(ROOT, "fence")) or "").strip(),
            "units": units(),
            "services": services,
            "commands": commands,
            "masters": masters,
            "wanted": wanted(),
            "halfMade": half_made(),
            "answers": {service: answer(port) for service, port in (each.split("=") for each in PORTS)},
        }
    )
)
