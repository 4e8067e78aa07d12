"""What both clients are: where the gateway is, who asks, and how one call is made."""

import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from simops_client.core.config import Token, base_of, token_of
from simops_client.core.flow import Flow, Open, Send
from simops_client.core.requests import Request
from simops_client.core.retry import retried, unreached
from simops_client.errors import SimOpsError, error_of

if TYPE_CHECKING:
    from simops_client.core.handles import JobHandle, SweepHandle

J = TypeVar("J", bound="JobHandle")
S = TypeVar("S", bound="SweepHandle")
M = TypeVar("M", bound=BaseModel)

_VERSION, _MIN_VERSION = "SimOps-Version", "SimOps-Min-Version"
_JOBS, _SWEEPS = "simulationjobs", "simulationsweeps"
_CONNECT_SECONDS = 10.0


def _agent() -> str:
    try:
        return f"simops-client/{version('simops')}"
    except PackageNotFoundError:
        return "simops-client"


class Session(Generic[J, S]):
    """One gateway. ``J`` and ``S`` are the jobs and sweeps that it makes: those of a blocking client block."""

    job_type: type[J]
    sweep_type: type[S]

    def __init__(self, url: str | None, token: Token | None, timeout: float, retries: int) -> None:
        """Take where the gateway is, whose requests they are, for how many seconds silence is borne and how often a request is sent again."""
        self.url = base_of(url)
        self.retries = retries
        self.clock: Callable[[], float] = time.monotonic
        self._agent = _agent()
        self._token = token_of(token)
        self._written: dict[str, str] = {}
        self.timeout = httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS))

    def headers_of(self, request: Request) -> dict[str, str]:
        """Return the headers of a request. A file with the token is read here, each time."""
        headers = {"User-Agent": self._agent, **request.headers}
        if token := self._token():
            headers["Authorization"] = f"Bearer {token}"
        # Another replica of the gateway may not know yet what this client has written.
        if request.method == "GET" and (known := self._written.get(_kind_of(request.path))):
            headers[_MIN_VERSION] = known
        return headers

    def timeout_of(self, request: Request) -> httpx.Timeout:
        """Return how long a request may be silent."""
        if request.read_seconds is None:
            return self.timeout
        usual = self.timeout
        return httpx.Timeout(connect=usual.connect, read=request.read_seconds, write=usual.write, pool=usual.pool)

    def call(self, request: Request) -> Flow[httpx.Response]:
        """Send a request, again if need be; return the answer if it is a good one.

        Raises:
            SimOpsError: the subclass says which kind.
        """

        def attempt() -> Flow[httpx.Response]:
            try:
                answer: httpx.Response = yield Send(request)
            except httpx.HTTPError as error:
                raise unreached(error) from error
            if not answer.is_success:
                raise error_of(answer)
            return answer

        answer = yield from retried(request, attempt, self.retries)
        if written := answer.headers.get(_VERSION):
            self._written[written.partition("/")[0]] = written
        return answer

    def opened(self, request: Request) -> Flow[httpx.Response]:
        """Open a stream, once; return the head of the answer if it is a good one.

        Raises:
            SimOpsError: the subclass says which kind.
        """
        try:
            answer: httpx.Response = yield Open(request)
        except httpx.HTTPError as error:
            raise unreached(error) from error
        if not answer.is_success:
            raise error_of(answer)
        return answer

    def read(self, model: type[M], request: Request) -> Flow[M]:
        """Make a call and return its answer as a model.

        Raises:
            SimOpsError: the call failed, or what answered is no gateway.
        """
        answer = yield from self.call(request)
        return parsed(model, answer)


def parsed(model: type[M], answer: httpx.Response) -> M:
    """Return an answer as a model.

    Raises:
        SimOpsError: it is none.
    """
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        words: Any = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise SimOpsError(
            f"this is no answer of a gateway ({words}): is the url right?",
            status=answer.status_code,
            title=answer.reason_phrase,
        ) from error


def _kind_of(path: str) -> str:
    # A single job that a replica does not know is looked up; lists, and sweeps, are as old as its memory.
    first, _, rest = path.partition("/")
    if first == "sweeps":
        return _SWEEPS
    return _JOBS if first == "jobs" and rest in ("", "stats") else ""
