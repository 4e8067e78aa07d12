"""Nothing secret is committed. What looks like a secret and is none stands in .secrets.baseline by its hash."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / ".secrets.baseline"


def said(*files: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "detect_secrets.pre_commit_hook", "--baseline", BASELINE.name, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_tree_is_clean() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    assert len(files) > 300
    code, words = said(*files)
    assert code == 0, words


def test_a_key_would_be_found(tmp_path: Path) -> None:
    # Put together here, or this file itself would not be clean.
    leak = tmp_path / "leak.py"
    leak.write_text(f'key = "AKIA{"Q7RZ" * 4}"\nhost = "postgres://simops:{"Zq" * 6}x7@db/simops"\n')
    code, words = said(str(leak))
    assert code == 1
    assert "AWS Access Key" in words
    assert "Basic Auth Credentials" in words


def test_the_baseline_knows_no_key_of_a_kind_that_is_never_an_accident() -> None:
    found = json.loads(BASELINE.read_text(encoding="utf-8"))["results"]
    kinds = {entry["type"] for entries in found.values() for entry in entries}
    assert kinds <= {"Hex High Entropy String", "Base64 High Entropy String", "Secret Keyword"}
