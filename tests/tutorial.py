"""The tutorial as a program: its command blocks in order, what it says that they print, and what they print.

A block is what stands between ```` ```sh ```` and its end. A ```` ```text ```` block after it shows lines of what the block before prints: `…` stands for
any characters, and ages and numbers of five digits and more may be others.
"""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simops_images.catalogue import ROOT

PAGE = ROOT / "docs" / "tutorial.md"
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "@@ block"


@dataclass(frozen=True)
class Block:
    """Commands, and lines that they print."""

    commands: str
    shown: tuple[str, ...] = ()


def blocks(text: str) -> list[Block]:
    """Return the command blocks of a page.

    Raises:
        ValueError: there is a block of another kind, or lines are shown that no block prints.
    """
    found: list[Block] = []
    for kind, content in _FENCE.findall(text):
        if kind == "sh":
            found.append(Block(content))
        elif kind == "text" and found and not found[-1].shown:
            found[-1] = Block(found[-1].commands, tuple(content.splitlines()))
        else:
            raise ValueError(f"a block that is neither commands nor what they print: {kind!r} {content[:60]!r}")
    return found


def pattern(line: str) -> re.Pattern[str]:
    """Return what a line that is shown means: the same words, other ages and other long numbers."""
    words = []
    for word in line.split():
        parts = [re.escape(part) for part in word.split("…")]
        text = r"\S*".join(parts)
        words.append(re.sub(r"\d{5,}", r"\\d+", r"\d+\S*" if re.fullmatch(r"\d+[smh]", word) else text))
    return re.compile(r"\s+".join(words))


def replaced(commands: str, others: Mapping[str, str]) -> str:
    """Return commands with some words of them replaced by others."""
    for word, other in others.items():
        commands = commands.replace(word, other)
    return commands


def script(found: list[Block], others: Mapping[str, str]) -> str:
    """Return one script of all blocks that ends at the first command that fails, with a mark after each block."""
    lines = ["set -e"]
    for number, block in enumerate(found):
        lines += [replaced(block.commands, others), f"printf '\\n{_MARK} %s\\n' {number}"]
    return "\n".join(lines)


def run(found: list[Block], others: Mapping[str, str], folder: Path, *, seconds: float) -> list[str]:
    """Run all blocks in one shell in the checkout; return what each has printed.

    Raises:
        AssertionError: a command failed, or it took longer; the message has the block and everything that it printed.
    """
    file, log = folder / "tutorial.sh", folder / "tutorial.log"
    file.write_text(script(found, others))
    with log.open("wb") as out:
        # A session of its own: whatever the blocks leave in the background ends with it.
        local = ",".join([*filter(None, [os.environ.get("no_proxy")]), "127.0.0.1"])
        environ = {**os.environ, "no_proxy": local, "NO_PROXY": local}
        shell = subprocess.Popen(
            ["bash", str(file)],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            code: int | None = shell.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    printed = re.split(rf"^{_MARK} \d+\n", log.read_text(errors="replace"), flags=re.MULTILINE)
    done = len(printed) - 1
    if code != 0:
        what = f"not within {seconds:.0f} s" if code is None else f"exit code {code}"
        block = found[min(done, len(found) - 1)].commands
        raise AssertionError(f"{what} in\n{block}\nwhich printed\n{printed[-1]}")
    return printed[:-1]


def check(block: Block, printed: str) -> None:
    """See that the lines that a page shows have been printed."""
    lines = printed.splitlines()
    for line in block.shown:
        assert any(pattern(line).search(one) for one in lines), f"not printed: {line}\nbut\n{printed}"
