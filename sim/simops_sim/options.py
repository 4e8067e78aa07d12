"""What is asked for: the command line of one run, or one point of a batch. Standard library only."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Final, Literal, NoReturn, get_args

from simops_sim.problem import ParameterError, Problem

Outputs = Literal["full", "summary"]

MAX_TIME_STEPS: Final = 1 << 53
"""Up to here the number of a step is exact as a float; nobody waits for so many."""

_FIELDS: Final = {item.name: item for item in fields(Problem)}


class UsageError(Exception):
    """An option is wrong; the message is one line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "))


@dataclass(frozen=True, slots=True)
class Request:
    """One run: what to compute, and what to write where (`folder` is None when the command line names none)."""

    problem: Problem
    folder: str | None
    plot: bool
    outputs: Outputs | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Request":
        """Build it from option values; raises ParameterError."""
        if values["time_steps"] > MAX_TIME_STEPS:
            raise ParameterError("time_steps", f"must be at most {MAX_TIME_STEPS}")
        return cls(
            problem=Problem(**{name: values[name] for name in _FIELDS}),
            folder=values["output_dir"],
            plot=values["plot"],
            outputs=values["outputs"],
        )


@lru_cache(maxsize=1)
def parser() -> argparse.ArgumentParser:
    """Give the command line; its options are the fields of `Problem`, plus where and what to write."""
    result = _Parser(
        prog="run_sim.py",
        description="The 1D heat equation u_t = α·u_xx by finite differences.",
        epilog="Files: result.csv, metrics.json, meta.json, temperature_field.npy, simulation_results.png; with "
        "--outputs summary: metrics.json, meta.json, final_profile.npy. With $SIMOPS_POINTS set, all points of that "
        "file are computed, and the options are what points have in common.",
        allow_abbrev=False,
    )
    for item in fields(Problem):
        result.add_argument(
            f"--{item.name}",
            type=str if item.metadata["choices"] else (_whole if item.type is int else float),
            choices=item.metadata["choices"] or None,
            default=item.default,
            help=f"{item.metadata['help']} (default: %(default)s)",
            metavar=None if item.metadata["choices"] else item.name.upper(),
        )
    result.add_argument(
        "--output_dir", default=None, help="folder of the files (default: $SIMOPS_OUTPUTS, else ./outputs)"
    )
    result.add_argument("--plot", type=_flag, default=True, metavar="true|false", help="draw the plot (default: true)")
    result.add_argument(
        "--outputs",
        choices=get_args(Outputs),
        default=None,
        help="full: field, time series and plot too; summary: metrics, meta data and the last profile, without a plot "
        "(default: full; for a batch: summary)",
    )
    return result


def parse(argv: Sequence[str]) -> dict[str, Any]:
    """Read a command line into option values; raises UsageError."""
    return vars(parser().parse_args(_joined(argv)))


def point(common: Mapping[str, Any], params: Mapping[str, object]) -> Request:
    """Read the parameters of one point, JSON values, on top of the options that all points have in common.

    Values count as they would on a command line, where `"0.5"` is a number too, and what is wrong there is wrong here
    with the same words: raises UsageError or ParameterError.
    """
    values = dict(common)
    for written, value in params.items():
        name = written.replace("-", "_")
        ready = _plain(name, value)
        if ready is None:
            ready = parse([f"--{name}={_text(value)}"])[name]
        values[name] = ready
    if values["output_dir"] is not None:
        raise UsageError("--output_dir: each point of a batch has a folder of its own")
    return Request.of(values)


def _plain(name: str, value: object) -> object:
    """Give the value as its option's type in the usual cases, else None: argparse takes fifty times as long."""
    item = _FIELDS.get(name)
    if item is None:
        return None
    if item.metadata["choices"]:
        return value if value in item.metadata["choices"] else None
    if type(value) is float:
        return value if item.type is float else (int(value) if value.is_integer() else None)
    if type(value) is int and abs(value) < 1 << 53:
        return value if item.type is int else float(value)
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _whole(text: str) -> int:
    """Read a whole number; a sweep's axis may write 100 as 100.0."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise ValueError(text) from None
        return int(number)


_whole.__name__ = "whole number"


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise argparse.ArgumentTypeError(f"must be true or false, not {text!r}")
    return text.lower() == "true"


def _joined(argv: Sequence[str]) -> list[str]:
    """Write `--time-steps 5` as `--time_steps=5`: both spellings count, and argparse takes -1e3 for an option else."""
    result: list[str] = []
    pending: str | None = None
    for word in argv:
        if word.startswith("--"):
            if pending is not None:
                result.append(pending)
            name, equals, value = word.partition("=")
            pending = "--" + name[2:].replace("-", "_")
            if equals or pending == "--help":
                result.append(pending + equals + value)
                pending = None
        elif pending is not None:
            result.append(f"{pending}={word}")
            pending = None
        else:
            result.append(word)
    return result if pending is None else [*result, pending]


def refusal(error: Exception) -> str:
    """Give the line of the log that tells why a run ends."""
    return f"run_sim.py: error: {' '.join(str(error).split())}"
