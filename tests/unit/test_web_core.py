"""What the page computes, tested by the page's own Node: `api/web/src/**/*.test.ts`."""

import os
import subprocess

from simops_assets.build import BIN, WEB, environment


def test_what_the_page_computes_is_right() -> None:
    files = sorted(str(path) for path in (WEB / "src").rglob("*.test.ts"))
    assert files
    command = [str(BIN / "node"), "--test", "--test-reporter=dot", *files]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=300, env={**os.environ, **environment()}
    )
    assert done.returncode == 0, done.stdout + done.stderr
