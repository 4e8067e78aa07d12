"""The command line of `hack/audit`: pip-audit for each lock file, and a plain word about what could not be asked."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcluster.progress import say
from simops_images.catalogue import ROOT

LOCKS = ("operator", "api", "sim", "dev", "bootstrap")
VULNERABLE, UNKNOWN = 1, 2
_SECONDS = 600


@dataclass
class Findings:
    """What is known of one lock file."""

    asked: int = 0
    unknown: list[str] = field(default_factory=list)
    vulnerable: list[str] = field(default_factory=list)


def findings(report: dict[str, Any]) -> Findings:
    """Return what pip-audit's JSON report says."""
    out = Findings()
    for entry in report["dependencies"]:
        if "skip_reason" in entry:
            out.unknown.append(entry["name"])
            continue
        out.asked += 1
        for found in entry.get("vulns", []):
            fixed = ", ".join(found["fix_versions"]) or "no version"
            out.vulnerable.append(f"{entry['name']} {entry['version']}: {found['id']}, fixed in {fixed}")
    return out


def audit(lock: Path, service: str) -> tuple[Findings | None, str]:
    """Return what is known of a lock file, and pip-audit's last words; None: it could not ask at all."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--no-deps", "--disable-pip"]
    command += ["--format=json", "--progress-spinner=off", f"--vulnerability-service={service}", "--timeout=15"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    said = (done.stderr.strip().splitlines() or [""])[-1]
    try:
        return findings(json.loads(done.stdout)), said
    except (ValueError, KeyError):
        return None, said


def main(argv: Sequence[str] | None = None) -> int:
    """Ask for each lock file: 0 if all was asked and nothing is known, 1 if something is vulnerable, 2 if something could not be asked."""
    parser = argparse.ArgumentParser(prog="hack/audit", description="Look for known vulnerabilities in what is locked.")
    parser.add_argument("--service", choices=["pypi", "osv"], default="pypi", help="whose data is asked")
    parser.add_argument("locks", nargs="*", metavar="LOCK", help=f"{', '.join(LOCKS)} (default: all)")
    arguments = parser.parse_args(argv)
    if unknown := [lock for lock in arguments.locks if lock not in LOCKS]:
        parser.error(f"no lock file {unknown[0]}: there are {', '.join(LOCKS)}")
    worst = 0
    for name in arguments.locks or LOCKS:
        found, said = audit(ROOT / "requirements" / f"{name}.lock", arguments.service)
        worst = max(worst, tell(name, found, said), key=(0, UNKNOWN, VULNERABLE).index)
    return worst


def tell(name: str, found: Findings | None, said: str) -> int:
    """Say what is known of a lock file; the exit code that it is worth."""
    if found is None:
        say(f"{name}.lock: NOT AUDITED, the vulnerability data could not be asked: {said}")
        return UNKNOWN
    for line in found.vulnerable:
        say(f"{name}.lock: VULNERABLE {line}")
    if found.unknown:
        say(
            f"{name}.lock: NOT AUDITED, no data for {len(found.unknown)} of {found.asked + len(found.unknown)} packages: {_some(found.unknown)}"
        )
    if not found.unknown and not found.vulnerable:
        say(f"{name}.lock: {found.asked} packages, nothing known")
    return VULNERABLE if found.vulnerable else UNKNOWN if found.unknown else 0


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
