"""What the command ends with: one number for each kind of end, so that scripts need not read sentences."""

from enum import IntEnum
from typing import Any

from simops_cli.core.inputs import InputError
from simops_client import errors


class Exit(IntEnum):
    """Exit codes. They are stable: a number never gets another meaning."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> "Exit":
        """Take the number and its sentence."""
        one = int.__new__(cls, value)
        one._value_ = value
        one.meaning = meaning
        return one

    OK = 0, "Done."
    ERROR = 1, "Something else went wrong; the message says what."
    USAGE = 2, "The command line was wrong; nothing was sent."
    FAILED = 3, "The run that was waited for failed, or points of the sweep did."
    CANCELLED = 4, "The run or sweep that was waited for was cancelled."
    NOT_FOUND = 5, "There is no such run, sweep, file or result (any more)."
    FORBIDDEN = 6, "No valid token, or no permission."
    UNREACHABLE = 7, "Gateway or cluster does not answer, or cannot now."
    REFUSED = 8, "What was asked for is wrong; the fields are named, nothing was made."
    CONFLICT = 9, "Not in this state: finished already, no result yet, or the name is taken."
    TIMEOUT = 10, "--timeout was over first; what was waited for goes on."
    DAMAGED = 11, "What was downloaded is not what was announced."
    UNHEALTHY = 12, "`simops doctor` has found something that is wrong."
    INTERRUPTED = 130, "Ctrl-C. What runs in the cluster goes on."


def of_phase(status: str) -> Exit:
    """Return how a command ends that has waited for something which ended so."""
    return {"Succeeded": Exit.OK, "Cancelled": Exit.CANCELLED, "Failed": Exit.FAILED}.get(status, Exit.ERROR)


def of_error(error: BaseException) -> Exit:
    """Return how a command ends that an error has ended."""
    if isinstance(error, errors.SimulationFailed):
        return of_phase(error.info.status)
    kinds: tuple[tuple[type[BaseException], Any], ...] = (
        (InputError, Exit.USAGE),
        (errors.NotFound, Exit.NOT_FOUND),
        (errors.Unauthorized, Exit.FORBIDDEN),
        (errors.Forbidden, Exit.FORBIDDEN),
        (errors.Invalid, Exit.REFUSED),
        (errors.Conflict, Exit.CONFLICT),
        (errors.TooManyRequests, Exit.UNREACHABLE),
        (errors.Unavailable, Exit.UNREACHABLE),
        (errors.DamagedDownload, Exit.DAMAGED),
        (TimeoutError, Exit.TIMEOUT),
        (KeyboardInterrupt, Exit.INTERRUPTED),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), Exit.ERROR)


_REMEDIES: dict[type[BaseException], str] = {
    errors.Unauthorized: "; sign in by simops login, or name a token by --token-file or SIMOPS_TOKEN "
    "(kubectl create token NAME makes one)",
    errors.Unavailable: "; simops doctor looks for what is wrong",
}


def words(error: BaseException) -> str:
    """Return the message of an error for the person at the terminal: one line, and one more for each field."""
    if isinstance(error, errors.SimOpsError):
        # What the sentence says already is not said again.
        news = [one for one in error.errors if one.message not in error.detail]
        fields = "".join(f"\n  {one.field or 'the request'}: {one.message}" for one in news)
        tail = f" (request {error.request_id})" if error.request_id else ""
        return f"{error.detail}{fields}{tail}{_REMEDIES.get(type(error), '')}"
    return str(error) or type(error).__name__
