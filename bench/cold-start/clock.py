"""As clock.mjs, for the subject in Python: loads plain_handler.py, lets it answer, and says when."""
import json
import os
import time

start = time.time()
from plain_handler import handler as timed  # noqa: E402

loaded = time.time()


def process_start() -> float:
    with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
        ticks = int(stat.read().rsplit(")", 1)[1].split()[19])
        return time.time() - float(uptime.read().split()[0]) + ticks / os.sysconf("SC_CLK_TCK")


def peak_kib() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def handler(event, context):
    invoked = time.time()
    result = timed(event, context)
    answered = time.time()
    times = {"process": process_start(), "start": start, "loaded": loaded, "invoked": invoked, "answered": answered}
    clock = {name: value * 1000 for name, value in times.items()}
    print(json.dumps({"clock": {**clock, "peakKiB": peak_kib()}}), flush=True)
    return result
