"""The client that is awaited."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx
from anyio import sleep, to_thread

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

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client
        self._stream: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def do(self, effect: Effect) -> Any:
        match effect:
            case Send(request):
                return await self._sent(request, stream=False)
            case Open(request):
                await self.close()
                self._stream = await self._sent(request, stream=True)
                if not self._stream.is_success:
                    await self._stream.aread()
                self._chunks = self._stream.aiter_bytes()
                return self._stream
            case Read():
                return await anext(self._chunks, b"") if self._chunks is not None else b""
            case Close():
                await self.close()
            case Sleep(seconds):
                await sleep(seconds)
            case Work(function):
                return await to_thread.run_sync(function)
        return None

    async def _sent(self, request: Request, *, stream: bool) -> httpx.Response:
        built = self._client.http.build_request(**arguments_of(self._client, request))
        return await self._client.http.send(built, stream=stream, follow_redirects=follows(request))

    async def close(self) -> None:
        if self._stream is not None:
            stream, self._stream, self._chunks = self._stream, None, None
            await stream.aclose()


async def _driven(client: "AsyncClient", running: Running[Any]) -> AsyncGenerator[Any, None]:
    wire = _Wire(client)
    try:
        while (effect := running.effect) is not None:
            if isinstance(effect, Give):
                yield effect.value
                running.go_on(None)
                continue
            try:
                outcome = await wire.do(effect)
            except Exception as error:  # noqa: BLE001 - it is the flow's to judge
                running.fail(error)
            else:
                running.go_on(outcome)
    finally:
        running.close()
        await wire.close()


async def _run(client: "AsyncClient", flow: Flow[T]) -> T:
    running = Running(flow)
    async with aclosing(_driven(client, running)) as driven:
        async for _ in driven:
            pass
    return running.result


def _client_of(handle: Any) -> "AsyncClient":
    found: AsyncClient = handle if isinstance(handle, AsyncClient) else handle.session
    return found


def _call(flow: Callable[Concatenate[H, P], Flow[T]]) -> Callable[Concatenate[H, P], Coroutine[Any, Any, T]]:
    """Return the method that a flow is here."""

    async def method(handle: H, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await _run(_client_of(handle), flow(handle, *args, **kwargs))

    return as_method(method, flow)


def _each(flow: Callable[Concatenate[H, P], Items[T]]) -> Callable[Concatenate[H, P], AsyncGenerator[T, None]]:
    """Return the method that a flow of many values is here. Who leaves the iteration early closes it (``contextlib.aclosing``)."""

    async def method(handle: H, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
        async with aclosing(_driven(_client_of(handle), Running(flow(handle, *args, **kwargs)))) as driven:
            async for value in driven:
                yield value

    return as_method(method, flow)


@named
class AsyncJob(JobHandle):
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
class AsyncSweep(SweepHandle):
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
class AsyncClient(Making[AsyncJob, AsyncSweep, Awaitable[AsyncJob], Awaitable[AsyncSweep], Awaitable[Plan]]):
    """A gateway, asked by calls that are awaited. As a context manager it closes its connections."""

    job_type = AsyncJob
    sweep_type = AsyncSweep

    def __init__(
        self,
        url: str | None = None,
        *,
        token: Token | None = None,
        verify: Verify = True,
        timeout: float = 30.0,
        retries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Take what ``Client`` takes.

        Raises:
            ValueError: there is no url, or it is none.
        """
        super().__init__(url, token, timeout, retries)
        self.http = httpx.AsyncClient(base_url=self.url, verify=verified(verify), limits=LIMITS, transport=transport)

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

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
