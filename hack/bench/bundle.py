"""How fast the bundle sidecar brings outputs to MinIO, relative to the obvious way in the same run.

    .venv/bin/python hack/bench/bundle.py

The baseline is what one would write without thinking of memory, disk or outages: `zipfile` (deflate, level 1) to a file,
then minio-py's `fput_object`. Both are a process of their own, so both pay for importing minio. The ratios are what
counts: the absolute figures are the machine's.
"""

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY = "bench-bench"
BASELINE = """
import os, sys, zipfile
from minio import Minio
outputs, target, endpoint = sys.argv[1:]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
    for folder, _names, files in os.walk(outputs):
        for name in files:
            file.write(os.path.join(folder, name), name)
client = Minio(endpoint, os.environ["KEY"], os.environ["KEY"], secure=False, region="us-east-1")
client.fput_object("bench", "baseline.zip", target)
"""


@contextlib.contextmanager
def minio(binary: str, folder: Path) -> Iterator[str]:
    """Run a server on a free port of loopback."""
    (folder / "data" / "bench").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = os.environ | {"MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": KEY, "MINIO_BROWSER": "off"}
    with (folder / "minio.log").open("wb") as log:
        command = [binary, "server", "--quiet", "--address", address, str(folder / "data")]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        host, port = address.split(":")
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
                break
            if time.monotonic() > deadline or server.poll() is not None:
                raise SystemExit(f"the server did not start: {(folder / 'minio.log').read_text()}")
            time.sleep(0.05)
        yield address
    finally:
        server.kill()
        server.wait()


def baseline(outputs: Path, folder: Path, address: str) -> float:
    """Seconds of the obvious way."""
    began = time.perf_counter()
    command = [sys.executable, "-c", BASELINE, str(outputs), str(folder / "baseline.zip"), address]
    subprocess.run(command, check=True, env=os.environ | {"KEY": KEY})
    return time.perf_counter() - began


def sidecar(outputs: Path, folder: Path, address: str) -> float:
    """Seconds of the sidecar from its start to its end; the stop signal is pending when it starts."""
    secret = folder / "secret"
    secret.mkdir(exist_ok=True)
    for name in ("access-key", "secret-key"):
        (secret / name).write_text(KEY)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "operator"),
        "SIMOPS_OUTPUTS": str(outputs),
        "SIMOPS_STORE_ENDPOINT": f"http://{address}",
        "SIMOPS_STORE_BUCKET": "bench",
        "SIMOPS_STORE_REGION": "us-east-1",
        "SIMOPS_STORE_CREDENTIALS": str(secret),
        "SIMOPS_KEY_PREFIX": "jobs",
        "SIMOPS_POD": "bench",
        "SIMOPS_GRACE_SECONDS": "600",
        "SIMOPS_STOP_SECONDS": "1",
        "SIMOPS_STOP_PORT": "0",
        "SIMOPS_STOP_PATH": "/stop",
        "SIMOPS_TERMINATION_LOG": str(folder / "termination-log"),
    }
    began = time.perf_counter()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # Inherited: the signal waits for its handler.
    command = [sys.executable, "-m", "simops_operator.pod.bundle"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    process.terminate()
    log, _nothing = process.communicate()
    if process.returncode != 0:
        raise SystemExit(log)
    return time.perf_counter() - began


def noise(outputs: Path) -> int:
    """One large file that cannot be compressed."""
    with (outputs / "noise.bin").open("wb") as file:
        for _block in range(256):
            file.write(os.urandom(1 << 20))
    return 1


def text(outputs: Path) -> int:
    """One large table."""
    with (outputs / "table.csv").open("w") as file:
        for row in range(6_000_000):
            file.write(f"{row * 0.125:.3f},{row * row % 9973},{300 - row % 977 / 7:.4f}\n")
    return 1


def small(outputs: Path) -> int:
    """Many small tables."""
    for index in range(10_000):
        (outputs / f"{index:05}.csv").write_text("".join(f"{index},{row},{row * 0.125}\n" for row in range(60)))
    return 10_000


def main() -> int:
    """Print one line for each kind of outputs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minio", help="path of the MinIO server binary; without it the local cluster's tool")
    parser.add_argument("--runs", type=int, default=5, help="the best of so many runs counts (default 5)")
    arguments = parser.parse_args()
    print(f"{'outputs':28} {'baseline':>10} {'bundle':>10} {'MB/s':>8} {'files/s':>8}  bundle is")
    tool = [sys.executable, str(ROOT / "hack" / "cluster"), "tool", "minio"]
    binary = arguments.minio or subprocess.run(tool, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as place, minio(binary, Path(place)) as address:
        for make in (noise, text, small):
            outputs = Path(place, make.__name__)
            outputs.mkdir()
            files = make(outputs)
            size = sum(path.stat().st_size for path in outputs.iterdir()) / 1e6
            pairs = [
                (baseline(outputs, Path(place), address), sidecar(outputs, Path(place), address))
                for _run in range(arguments.runs)
            ]
            slow, fast = min(a for a, _b in pairs), min(b for _a, b in pairs)
            label = f"{files} x {size / files:.3g} MB ({make.__name__})"
            ratio = slow / fast
            print(
                f"{label:28} {slow:8.2f} s {fast:8.2f} s {size / fast:8.0f} {files / fast:8.0f}  {ratio:.2f} x as fast"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
