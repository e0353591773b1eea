"""What systemd is told (sd_notify(3)), and how often it wants to hear (sd_watchdog_enabled(3))."""

from __future__ import annotations

import os
import socket
import time


def notify(state: str) -> None:
    """Tell systemd a state such as "READY=1"; nothing happens where no one listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        try:
            sender.sendto(state.encode(), address)
        except OSError:
            return  # systemd went away or is busy; the mail goes on


def reloading() -> str:
    """Return the state that begins a reload, which READY=1 ends (Type=notify-reload, systemd.service(5))."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"


def watchdog() -> float | None:
    """Return the seconds after which systemd takes our silence for a hang; None where it does not look."""
    try:
        microseconds = int(os.environ["WATCHDOG_USEC"])
        ours = int(os.environ.get("WATCHDOG_PID", os.getpid())) == os.getpid()
    except (KeyError, ValueError):
        return None
    return microseconds / 1e6 if ours and microseconds > 0 else None
