"""What one file out of a large bundle costs the gateway, relative to fetching the bundle for it.

    .venv/bin/python hack/bench/result_file.py --gigabytes 5

The bundle lies in a MinIO of its own on this machine. Both ways go through the gateway's own code, and the bytes that the store was asked for are counted.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from minio import Minio
from prometheus_client import REGISTRY

from bench.bundle import KEY, minio
from localcluster.golang import tool
from simops_api.artifacts.member import Bundles
from simops_api.settings import Settings
from simops_api.store import Store

BUNDLE = "jobs/lab/large/uid/pod.zip"
WANTED = os.urandom(10 << 20)
BLOCK = 8 << 20


def make(path: Path, gigabytes: float) -> None:
    """Write a bundle: fields, a thousand small files, and the one that is wanted in the middle."""
    with zipfile.ZipFile(path, "w") as archive:
        fields = max(1, round(gigabytes * (1 << 30) / (512 << 20)))
        for number in range(fields):
            with archive.open(zipfile.ZipInfo(f"fields/{number:03d}.npy"), "w", force_zip64=True) as file:
                for _ in range((512 << 20) // BLOCK):
                    file.write(bytes(BLOCK))
            if number == fields // 2:
                archive.writestr("wanted.bin", WANTED)
                archive.writestr("wanted.csv", WANTED.hex().encode(), zipfile.ZIP_DEFLATED)
        for number in range(1000):
            archive.writestr(f"points/{number:04d}.json", b"{}")


def asked() -> float:
    """Return the bytes that the store was asked for so far."""
    return REGISTRY.get_sample_value("simops_gateway_store_bytes_total") or 0.0


async def spent(what: str, chunks: AsyncIterator[bytes]) -> float:
    """Read everything; print what it cost; return the seconds."""
    before, begin = asked(), time.perf_counter()
    count = first = 0.0
    async for chunk in chunks:
        first = first or time.perf_counter() - begin
        count += len(chunk)
    seconds = time.perf_counter() - begin
    print(
        f"{what:<44} {count / 1e6:9.1f} MB in {seconds:7.3f} s (first byte {first * 1000:5.1f} ms), "
        f"{(asked() - before) / 1e6:9.2f} MB asked of the store"
    )
    return seconds


async def measure(settings: Settings) -> None:
    """Print both ways."""
    store = Store(settings)
    bundle = await store.stat(BUNDLE)
    if bundle is None:
        raise SystemExit("the bundle is not there")

    async def one(bundles: Bundles, path: str) -> AsyncIterator[bytes]:
        member = (await bundles.directory(bundle))[path]
        async for chunk in bundles.read(bundle, member, 0, member.bytes):
            yield chunk

    bundles = Bundles(store)
    cold = await spent("10 MiB file, directory not known", one(bundles, "wanted.bin"))
    for _ in range(3):
        await spent("10 MiB file, directory known", one(bundles, "wanted.bin"))
    await spent("20 MiB file, deflated to 11 MiB", one(bundles, "wanted.csv"))
    await spent("2 bytes", one(bundles, "points/0500.json"))
    whole = await spent("the whole bundle", store.read(BUNDLE))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"one file is {whole / cold:.0f} times as fast as the whole; the process had {memory:.0f} MB at most")
    store.close()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    options = parser.parse_args()
    binary = os.environ.get("SIMOPS_MINIO_BIN") or str(tool("minio"))
    with tempfile.TemporaryDirectory(prefix="simops-bench-") as name:
        folder = Path(name)
        with minio(binary, folder) as address:
            path = folder / "bundle.zip"
            make(path, options.gigabytes)
            Minio(address, KEY, KEY, secure=False, region="us-east-1").fput_object("bench", BUNDLE, str(path))
            print(f"a bundle of {path.stat().st_size / 1e9:.2f} GB")
            path.unlink()
            for part in ("access-key", "secret-key"):
                (folder / part).write_text(KEY)
            given: dict[str, Any] = {"store_endpoint": f"http://{address}", "store_credentials": name}
            asyncio.run(measure(Settings(auth_mode="none", store_bucket="bench", **given)))


if __name__ == "__main__":
    main()
