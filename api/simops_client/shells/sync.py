"""The blocking client."""

from collections.abc import Callable, Generator, Iterator
from time import sleep
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from simops_client.core import cancelling, clients, jobs, logs, sweeps, waiting
from simops_client.core.config import Token
from simops_client.core.flow import Close, Effect, Flow, Give, Items, Open, Read, Running, Send, Sleep, Work
from simops_client.core.handles import JobHandle, SweepHandle
from simops_client.core.making import Making
from simops_client.core.requests import Request
from simops_client.core.session import Session
from simops_client.models import Plan
from simops_client.shells.calls import LIMITS, Verify, arguments_of, as_method, follows, named, verified

T = TypeVar("T")
P = ParamSpec("P")
H = TypeVar("H", bound=Session[Any, Any] | JobHandle | SweepHandle)


class _Wire:
    """Does effects, one after another."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._stream: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def do(self, effect: Effect) -> Any:
        match effect:
            case Send(request):
                return self._sent(request, stream=False)
            case Open(request):
                self.close()
                self._stream = self._sent(request, stream=True)
                if not self._stream.is_success:
                    self._stream.read()
                self._chunks = self._stream.iter_bytes()
                return self._stream
            case Read():
                return next(self._chunks, b"")
            case Close():
                self.close()
            case Sleep(seconds):
                sleep(seconds)
            case Work(function):
                return function()
        return None

    def _sent(self, request: Request, *, stream: bool) -> httpx.Response:
        built = self._client.http.build_request(**arguments_of(self._client, request))
        return self._client.http.send(built, stream=stream, follow_redirects=follows(request))

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream, self._chunks = None, iter(())


def _driven(client: "Client", running: Running[Any]) -> Generator[Any, None, None]:
    wire = _Wire(client)
    try:
        while (effect := running.effect) is not None:
            if isinstance(effect, Give):
                yield effect.value
                running.go_on(None)
                continue
            try:
                outcome = wire.do(effect)
            except Exception as error:  # noqa: BLE001 - it is the flow's to judge
                running.fail(error)
            else:
                running.go_on(outcome)
    finally:
        running.close()
        wire.close()


def _run(client: "Client", flow: Flow[T]) -> T:
    running = Running(flow)
    for _ in _driven(client, running):
        pass
    return running.result


def _client_of(handle: Any) -> "Client":
    found: Client = handle if isinstance(handle, Client) else handle.session
    return found


def _call(flow: Callable[Concatenate[H, P], Flow[T]]) -> Callable[Concatenate[H, P], T]:
    """Return the method that a flow is here."""

    def method(handle: H, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return _run(_client_of(handle), flow(handle, *args, **kwargs))

    return as_method(method, flow)


def _each(flow: Callable[Concatenate[H, P], Items[T]]) -> Callable[Concatenate[H, P], Generator[T, None, None]]:
    """Return the method that a flow of many values is here."""

    def method(handle: H, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        yield from _driven(_client_of(handle), Running(flow(handle, *args, **kwargs)))

    return as_method(method, flow)


@named
class Job(JobHandle):
    """A run, or a point of a sweep."""

    refresh = _call(waiting.refresh_job)
    wait = _call(waiting.wait_for_job)
    cancel = _call(cancelling.cancel_job)
    logs = _each(logs.lines)
    artifacts = _call(jobs.artifacts)
    file = _call(jobs.file)
    json = _call(jobs.json_file)
    array = _call(jobs.array)
    figure = _call(jobs.figure)
    download = _call(jobs.download_result)


@named
class Sweep(SweepHandle):
    """Many runs over a parameter space."""

    refresh = _call(waiting.refresh_sweep)
    wait = _call(waiting.wait_for_sweep)
    cancel = _call(cancelling.cancel_sweep)
    points = _each(sweeps.points)
    rows = _call(sweeps.rows)
    table = _call(sweeps.table)
    table_file = _call(sweeps.table_file)
    plot = _call(sweeps.plot)
    result = _call(sweeps.result)
    rerun = _call(sweeps.rerun)


@named
class Client(Making[Job, Sweep, Job, Sweep, Plan]):
    """A gateway, asked by calls that block. It may be used by several threads, and as a context manager, which closes its connections."""

    job_type = Job
    sweep_type = Sweep

    def __init__(
        self,
        url: str | None = None,
        *,
        token: Token | None = None,
        verify: Verify = True,
        timeout: float = 30.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Take where the gateway is (``SIMOPS_URL``) and whose requests they are (``SIMOPS_TOKEN``, ``SIMOPS_TOKEN_FILE``).

        ``token``: a string, a ``Path`` of a file that is read for each request, or a function. ``verify``: False, a file of certificates, or an
        ``ssl.SSLContext``. ``timeout``: seconds of silence that are borne. ``retries``: how often a request is sent again. ``transport``: one of httpx.

        Raises:
            ValueError: there is no url, or it is none.
        """
        super().__init__(url, token, timeout, retries)
        self.http = httpx.Client(base_url=self.url, verify=verified(verify), limits=LIMITS, transport=transport)

    job = _call(clients.job)
    get_sweep = _call(clients.get_sweep)
    jobs = _each(clients.jobs)
    sweeps = _each(clients.sweeps)
    count_jobs = _call(clients.count_jobs)
    count_sweeps = _call(clients.count_sweeps)
    stats = _call(clients.stats)
    submit_many = _call(clients.submit_many)

    def _done(self, flow: Flow[Any]) -> Any:
        return _run(self, flow)

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
