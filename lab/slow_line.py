"""Carries frames between two interfaces, late, slowly and with losses.

    slow_line.py <interface> <interface> <delay ms> <kbit/s, 0: no limit> <loss in %>

Each frame comes with the kernel's own note about checksums and segments still to be done (PACKET_VNET_HDR), which is
handed on with it; without it, frames of a local sender would arrive with checksums that nobody has computed.
"""

import heapq
import random
import select
import socket
import sys
import time

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
QUEUE_SECONDS = 1.0  # a real line drops what would wait longer


def open_end(interface):
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    end.bind((interface, ETH_P_ALL))
    end.setblocking(False)
    return end


def main():
    first, second = open_end(sys.argv[1]), open_end(sys.argv[2])
    delay, rate, loss = float(sys.argv[3]) / 1000, float(sys.argv[4]) * 1000, float(sys.argv[5]) / 100
    other = {first: second, second: first}
    free_at = {first: 0.0, second: 0.0}
    waiting = []
    number = 0
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([first, second], [], [], pause)
        for end in ready:
            while True:
                try:
                    frame = end.recv(1 << 17)
                except BlockingIOError:
                    break
                now = time.monotonic()
                start = max(now, free_at[end])
                if random.random() < loss or start - now > QUEUE_SECONDS:
                    continue
                free_at[end] = start + (len(frame) * 8 / rate if rate else 0)
                number += 1
                heapq.heappush(waiting, (free_at[end] + delay, number, other[end], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(waiting)
            try:
                end.send(frame)
            except OSError:
                pass  # the interface is down: so is the line


main()
