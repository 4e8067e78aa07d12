"""What every request goes through, by HTTP, against an API server that reviews tokens and rights as the test wants."""

import asyncio
import base64
import io
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict
from sse import events_of
from unit.test_api_serving import kubeconfig_for, problem_in, serving

from simops_api import audit
from simops_api.auth import permit
from simops_api.auth.caller import Caller
from simops_api.auth.newcomers import Newcomers
from simops_api.headers import DEFAULTS, SecurityHeaders
from simops_api.settings import Settings

GROUP = "/apis/simops.dev/v1alpha1/namespaces/{namespace}/{plural}"
SECRET = "very-secret-token-of-ann"
JOBS = "/api/v1/jobs"
OPEN = ["/live", "/ready", "/health", "/api/v1/live", "/api/v1/ready", "/api/v1/health", "/docs", "/openapi.json"]


@dataclass
class Cluster:
    """Knows tokens and rules; has no jobs."""

    tokens: dict[str, str] = field(default_factory=lambda: {SECRET: "ann"})
    rules: set[tuple[str, ...]] = field(default_factory=set)
    """(user, verb, resource, namespace[, name]) or (user, path)."""
    reviews: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    written: list[Any] = field(default_factory=list)
    runs: list[Any] = field(default_factory=list)
    """The SimulationJobs that there are."""
    refusal: int = 0
    """The status with which every call is refused; 0: none is."""
    write_refusal: int = 0
    odd: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    going: asyncio.Event = field(default_factory=asyncio.Event)
    """Writes wait for it."""
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get(GROUP, self.read),
                web.post(GROUP, self.write),
                web.post("/apis/authentication.k8s.io/v1/tokenreviews", self.token),
                web.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", self.access),
                web.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", self.self_token),
                web.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", self.self_access),
            ]
        )
        return app

    def refuse(self, status: int) -> web.Response:
        return web.json_response({"kind": "Status", "code": status, "message": "no: simops-gateway"}, status=status)

    async def read(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            runs = self.runs if request.path == "/apis/simops.dev/v1alpha1/namespaces/default/simulationjobs" else []
            return web.json_response({"items": runs, "metadata": {"resourceVersion": "5"}})
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"6"}}}\n')
        await self.ending.wait()
        return response

    async def write(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.arrived.set()
        await self.going.wait()
        if self.odd:
            return web.json_response({"unexpected": True}, status=201)
        if self.write_refusal:
            return self.refuse(self.write_refusal)
        self.written.append(body)
        made = {**body, "metadata": {**body["metadata"], "uid": "1", "resourceVersion": "6"}}
        return web.json_response(made, status=201)

    async def token(self, request: web.Request) -> web.Response:
        spec = (await request.json())["spec"]
        self.reviews.append("token")
        if self.refusal:
            return self.refuse(self.refusal)
        user = self.tokens.get(spec["token"])
        status: Any = {"authenticated": False, "error": "unknown"}
        if user:
            status = {"authenticated": True, "user": {"username": user, "uid": "7", "groups": ["lab"]}}
        return web.json_response({"status": status}, status=201)

    async def self_token(self, request: web.Request) -> web.Response:
        self.reviews.append("token")
        user = self.user_of(request)
        if self.refusal or not user:
            return self.refuse(self.refusal or 401)
        return web.json_response(
            {"status": {"userInfo": {"username": user, "uid": "7", "groups": ["lab"]}}}, status=201
        )

    def user_of(self, request: web.Request) -> str | None:
        return self.tokens.get(request.headers["Authorization"].removeprefix("Bearer "))

    async def access(self, request: web.Request) -> web.Response:
        return self.answer((await request.json())["spec"])

    async def self_access(self, request: web.Request) -> web.Response:
        spec = (await request.json())["spec"]
        assert "user" not in spec
        user = self.user_of(request)
        return self.answer({"user": user, **spec}) if user else self.refuse(401)

    def answer(self, spec: dict[str, Any]) -> web.Response:
        self.reviews.append("access")
        self.questions.append(json.dumps(spec))
        if self.refusal:
            return self.refuse(self.refusal)
        if path := spec.get("nonResourceAttributes"):
            asked: tuple[str, ...] = (spec["user"], path["path"])
        else:
            what = spec["resourceAttributes"]
            asked = (spec["user"], what["verb"], what["resource"], what["namespace"])
            asked += (what["name"],) if what.get("name") else ()
        return web.json_response({"status": {"allowed": bool({asked, asked[:4]} & self.rules)}}, status=201)


@asynccontextmanager
async def lab(
    folder: Path, runs: Sequence[Any] = (), **settings: Any
) -> AsyncIterator[tuple[Cluster, aiohttp.ClientSession]]:
    """A gateway that signs in, and its cluster."""
    cluster = Cluster(runs=list(runs))
    cluster.going.set()
    runner = web.AppRunner(cluster.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    given: dict[str, Any] = {
        "auth_mode": "kubernetes",
        "namespaces": ("default", "other"),
        "default_container_image": "sim:local",
        **settings,
    }
    path = kubeconfig_for(folder, f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        async with serving(Settings(kubeconfig=str(path), **given)) as session:
            yield cluster, session
    finally:
        cluster.ending.set()
        await runner.cleanup()


@pytest.fixture(params=["own", "caller"])
def reviews(request: pytest.FixtureRequest) -> str:
    """With whose rights the API server is asked."""
    return str(request.param)


def ann(token: str = SECRET) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """The lines of the audit, as they are written."""
    found: list[dict[str, Any]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            assert "\n" not in text
            assert SECRET not in text
            found.append(json.loads(text))

    handler, level = Handler(), audit.log.level
    audit.log.addHandler(handler)
    audit.log.setLevel(logging.INFO)
    yield found
    audit.log.removeHandler(handler)
    audit.log.setLevel(level)


async def test_without_a_token_only_what_is_open_is_answered(tmp_path: Path, reviews: str) -> None:
    async with lab(tmp_path, auth_reviews=reviews) as (cluster, gateway):
        for path in OPEN:
            async with gateway.get(path) as response:
                assert response.status == 200, path
        for path in (
            JOBS,
            f"{JOBS}/heat",
            "/api/v1/nothing",
            "/metrics",
            "/nothing",
            "/docs/",
            "/live/",
            "/api/v1/live/x",
        ):
            async with gateway.get(path) as response:
                await problem_in(response, 401)
                assert response.headers["WWW-Authenticate"] == "Bearer"
        for body in (b"{", b'{"params": ' + b"[" * 1000, b"x" * 500_000):
            async with gateway.post(JOBS, data=body) as response:
                await problem_in(response, 401)
        assert cluster.reviews == []


@pytest.mark.parametrize(
    "header",
    [
        "Bearer wrong",
        "Bearer",
        "Bearer  ",
        "Basic YW5uOng=",
        SECRET,
        f"Token {SECRET}",
        "Bearer a b",
        "Bearer \xe4",
        "Bearer " + "x" * 20_000,
    ],
)
async def test_a_token_that_is_none_is_refused(tmp_path: Path, reviews: str, header: str) -> None:
    async with lab(tmp_path, auth_reviews=reviews) as (_, gateway):
        async with gateway.get(JOBS, headers={"Authorization": header}) as response:
            problem = await problem_in(response, 401)
            assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
        assert "wrong" not in problem["detail"]


async def test_who_has_no_rule_is_told_which_one_is_missing_whether_or_not_there_is_such_an_object(
    tmp_path: Path,
    reviews: str,
) -> None:
    async with lab(tmp_path, auth_reviews=reviews) as (_, gateway):
        async with gateway.get(f"{JOBS}/other.heat", headers=ann()) as response:
            said = (await problem_in(response, 403))["detail"]
        assert said == "'ann' may not get simulationjobs.simops.dev 'heat' in namespace 'other'"
        for call, words in (
            (gateway.get(JOBS, headers=ann()), "list simulationjobs.simops.dev in any namespace"),
            (
                gateway.get(f"{JOBS}?namespace=other", headers=ann()),
                "list simulationjobs.simops.dev in namespace 'other'",
            ),
            (gateway.get(f"{JOBS}/stats", headers=ann()), "list simulationjobs"),
            (gateway.post(JOBS, json={}, headers=ann()), "create simulationjobs.simops.dev in namespace 'default'"),
            (gateway.delete(f"{JOBS}/heat", headers=ann()), "patch simulationjobs.simops.dev 'heat'"),
            (gateway.get("/metrics", headers=ann()), "get the path '/metrics'"),
        ):
            async with call as response:
                assert words in (await problem_in(response, 403))["detail"]


async def test_a_rule_for_one_object_permits_that_one(tmp_path: Path, reviews: str) -> None:
    async with lab(tmp_path, auth_reviews=reviews) as (cluster, gateway):
        cluster.rules.add(("ann", "get", "simulationjobs", "default", "mine"))
        async with gateway.get(f"{JOBS}/mine", headers=ann()) as response:
            assert response.status in (404, 503)  # there is none; or there is no store, which would know
        async with gateway.get(f"{JOBS}/theirs", headers=ann()) as response:
            await problem_in(response, 403)
        async with gateway.get(f"{JOBS}/other.mine", headers=ann()) as response:
            await problem_in(response, 403)


async def test_a_list_without_a_namespace_is_of_those_that_may_be_listed(tmp_path: Path, reviews: str) -> None:
    async with lab(tmp_path, auth_reviews=reviews) as (cluster, gateway):
        cluster.rules.add(("ann", "list", "simulationjobs", "other"))
        async with gateway.get(JOBS, headers=ann()) as response:
            assert response.status == 200
        async with gateway.get(f"{JOBS}?namespace=default", headers=ann()) as response:
            await problem_in(response, 403)


async def test_500_requests_at_once_ask_the_api_server_each_question_once_and_later_ones_none(
    tmp_path: Path,
    reviews: str,
) -> None:
    async with lab(tmp_path, auth_reviews=reviews, auth_cache_seconds=600) as (cluster, gateway):
        kinds = ("simulationjobs", "simulationsweeps")  # of both: a no is asked again after two seconds
        cluster.rules |= {("ann", "list", kind, name) for kind in kinds for name in ("default", "other")}

        async def one() -> int:
            async with gateway.get(JOBS, headers=ann()) as response:
                return response.status

        assert set(await asyncio.gather(*(one() for _ in range(500)))) == {200}
        assert cluster.reviews.count("token") == 1
        assert len(set(cluster.questions)) == len(cluster.questions)
        cluster.reviews.clear()
        await one()
        assert cluster.reviews == []


@pytest.mark.parametrize("refusal", [500, 403, 401, 429])
async def test_without_reviews_reads_go_on_and_writes_are_to_be_tried_again(
    tmp_path: Path, reviews: str, refusal: int
) -> None:
    async with lab(tmp_path, auth_reviews=reviews, auth_cache_seconds=0) as (cluster, gateway):
        cluster.rules |= {("ann", verb, "simulationjobs", "default") for verb in ("list", "create")}
        async with gateway.get(JOBS, headers=ann()) as response:
            assert response.status == 200
        async with gateway.post(JOBS, json={}, headers=ann()) as response:
            assert response.status == 201
        cluster.refusal = refusal
        if (reviews, refusal) == ("caller", 401):
            # That is about the token: it is not valid any more.
            async with gateway.get(JOBS, headers=ann()) as response:
                await problem_in(response, 401)
            return
        for _ in range(10):
            async with gateway.get(JOBS, headers=ann()) as response:
                assert response.status == 200
        async with gateway.post(JOBS, json={}, headers=ann()) as response:
            problem = await problem_in(response, 503)
            assert int(response.headers["Retry-After"]) > 0
        assert "simops-gateway" not in problem["detail"]
        assert len(cluster.written) == 1
        async with gateway.get(JOBS, headers=ann("another-token")) as response:
            await problem_in(response, 503)
        cluster.refusal = 0
        async with gateway.post(JOBS, json={}, headers=ann()) as response:
            assert response.status == 201


async def test_a_right_that_was_taken_away_is_gone_at_the_next_question(tmp_path: Path, reviews: str) -> None:
    async with lab(tmp_path, auth_reviews=reviews, auth_cache_seconds=0) as (cluster, gateway):
        cluster.rules.add(("ann", "list", "simulationjobs", "default"))
        async with gateway.get(JOBS, headers=ann()) as response:
            assert response.status == 200
        cluster.rules.clear()
        async with gateway.get(JOBS, headers=ann()) as response:
            await problem_in(response, 403)
        cluster.tokens.clear()
        async with gateway.get(JOBS, headers=ann()) as response:
            await problem_in(response, 401)


@pytest.mark.parametrize("reason", ["Unauthorized", "Forbidden"])
async def test_a_stream_of_changes_ends_with_the_token_and_with_the_rights_of_its_reader(
    tmp_path: Path, reviews: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permit, "CHECK_SECONDS", 0.05)
    async with lab(tmp_path, auth_reviews=reviews, auth_cache_seconds=0) as (cluster, gateway):
        cluster.rules.add(("ann", "list", "simulationjobs", "default"))
        async with gateway.get("/api/v1/events", headers=ann()) as response, asyncio.timeout(60):
            events = events_of(response)
            assert (await anext(events)).name == "resync"
            # As it was, then with an API server that is away for a while, which says nothing of anybody.
            for refusal in (0, 500):
                cluster.refusal, asked = refusal, len(cluster.reviews)
                while len(cluster.reviews) < asked + 3:  # noqa: ASYNC110 - the gateway asks by itself
                    await asyncio.sleep(0.01)
            cluster.refusal = 0
            (cluster.tokens if reason == "Unauthorized" else cluster.rules).clear()
            rest = [event async for event in events]
        assert [(event.name, json.loads(event.data)) for event in rest] == [("end", {"reason": reason})]


async def test_a_stream_of_changes_that_has_nothing_to_tell_is_looked_at_as_often_as_every_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permit, "CHECK_SECONDS", 3600.0)
    async with lab(tmp_path, auth_cache_seconds=0) as (cluster, gateway):
        cluster.rules.add(("ann", "list", "simulationjobs", "default"))
        async with gateway.get("/api/v1/events", headers=ann()) as response, asyncio.timeout(60):
            events = events_of(response)
            assert (await anext(events)).name == "resync"
            cluster.tokens.clear()
            assert [event.name async for event in events] == ["end"]


@pytest.mark.parametrize("what", ["events", "logs/stream"])
@pytest.mark.parametrize("status", [401, 403])
async def test_a_stream_about_one_job_ends_with_the_token_and_with_the_rights_of_its_reader(
    tmp_path: Path, reviews: str, status: int, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permit, "CHECK_SECONDS", 0.05)
    meta = {"name": "heat", "namespace": "default", "uid": "6f0c", "resourceVersion": "4"}
    heat = {"metadata": meta | {"creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"image": "sim:local"}}
    settings: dict[str, Any] = {"auth_reviews": reviews, "auth_cache_seconds": 0, "heartbeat_seconds": 0.1}
    async with lab(tmp_path, [heat | {"status": {"phase": "Pending"}}], **settings) as (cluster, gateway):
        cluster.rules.add(("ann", "get", "simulationjobs", "default"))
        async with gateway.get(f"{JOBS}/heat/{what}", headers=ann()) as response, asyncio.timeout(60):
            assert response.status == 200
            events = events_of(response)
            assert (await anext(events)).name in ("state", "status")
            for refusal in (0, 500):
                cluster.refusal, asked = refusal, len(cluster.reviews)
                while len(cluster.reviews) < asked + 3:  # noqa: ASYNC110 - the gateway asks by itself
                    await asyncio.sleep(0.01)
            cluster.refusal = 0
            (cluster.tokens if status == 401 else cluster.rules).clear()
            assert [event.name async for event in events] == []
        async with gateway.get(f"{JOBS}/heat/{what}", headers=ann()) as response:
            await problem_in(response, status)


async def test_each_token_is_asked_about_with_itself_also_when_two_are_of_one_person(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with lab(tmp_path, auth_reviews="caller", auth_cache_seconds=600) as (cluster, gateway):
        kinds = ("simulationjobs", "simulationsweeps")
        cluster.rules |= {("ann", "list", kind, name) for kind in kinds for name in ("default", "other")}
        cluster.tokens["second-token-of-ann"] = "ann"
        for token in (SECRET, "second-token-of-ann"):
            async with gateway.get(JOBS, headers=ann(token)) as response:
                assert response.status == 200
        assert cluster.reviews.count("token") == 2
        assert len(cluster.questions) == 2 * len(set(cluster.questions)), "an answer to one token is none to another"
    assert SECRET not in caplog.text


async def test_a_token_that_ends_while_its_owner_is_remembered_is_refused(tmp_path: Path) -> None:
    async with lab(tmp_path, auth_reviews="caller", auth_cache_seconds=600) as (cluster, gateway):
        cluster.rules.add(("ann", "list", "simulationjobs", "default"))
        async with gateway.get(f"{JOBS}?namespace=default", headers=ann()) as response:
            assert response.status == 200
        cluster.tokens.clear()
        async with gateway.get(f"{JOBS}/heat", headers=ann()) as response:
            await problem_in(response, 401)
            assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_static_tokens_sign_in_and_rbac_permits(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f'{SECRET},ann,"lab"\n')
    async with lab(tmp_path, auth_mode="static", static_tokens=str(tmp_path / "tokens")) as (cluster, gateway):
        cluster.rules.add(("ann", "list", "simulationjobs", "default"))
        async with gateway.get(JOBS, headers=ann()) as response:
            assert response.status == 200
        async with gateway.get(f"{JOBS}/heat", headers=ann()) as response:
            await problem_in(response, 403)
        async with gateway.get(JOBS, headers=ann("wrong-token-of-nobody")) as response:
            await problem_in(response, 401)
        assert "token" not in cluster.reviews


async def test_the_schema_says_which_calls_need_a_token(tmp_path: Path) -> None:
    async with lab(tmp_path) as (_, gateway), gateway.get("/openapi.json") as response:
        document = await response.json()
    assert document["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    for path, calls in document["paths"].items():
        for call in calls.values():
            assert ("security" in call) == (path not in OPEN), path


async def test_a_caller_who_asks_too_often_is_told_when_to_come_back_and_others_are_not(
    tmp_path: Path, reviews: str
) -> None:
    limits: dict[str, Any] = {"rate_reads": 0.01, "rate_reads_burst": 3, "rate_writes": 0.01, "rate_writes_burst": 1}
    async with lab(tmp_path, auth_reviews=reviews, **limits) as (cluster, gateway):
        cluster.tokens["token-of-bob"] = "bob"
        for left in (2, 1, 0):
            async with gateway.get(f"{JOBS}/heat", headers=ann()) as response:
                assert response.status == 403
                assert response.headers["RateLimit"] == f'"reads";r={left};t={(3 - left) * 100}'
                assert response.headers["RateLimit-Policy"] == '"reads";q=3;w=300'
        async with gateway.get(f"{JOBS}/heat", headers=ann()) as response:
            await problem_in(response, 429)
            assert 90 <= int(response.headers["Retry-After"]) <= 100
        async with gateway.delete(f"{JOBS}/heat", headers=ann()) as response:
            await problem_in(response, 403)
        async with gateway.get(f"{JOBS}/heat", headers=ann("token-of-bob")) as response:
            await problem_in(response, 403)


def jwt(subject: str, number: int = 0, **claims: Any) -> str:
    """A token as service accounts have them, whose signature nobody has made."""
    said = {"iss": "https://kubernetes.default.svc", "sub": subject, "exp": 4_102_444_800, "jti": number, **claims}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, said)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"signature"))


async def test_bad_tokens_shut_out_nobody_of_the_same_address_and_cost_a_bounded_number_of_reviews(
    tmp_path: Path, reviews: str
) -> None:
    robot = "system:serviceaccount:lab:robot"
    async with lab(tmp_path, auth_reviews=reviews, rate_sign_ins=0.01, rate_sign_ins_burst=7) as (cluster, gateway):
        cluster.tokens |= {jwt(robot, number): robot for number in (1, 2)}

        async def status(token: str) -> int:
            async with gateway.get(JOBS, headers=ann(token)) as response:
                return response.status

        assert [await status(token) for token in (SECRET, jwt(robot, 1))] == [403, 403]
        cluster.reviews.clear()
        assert [await status(jwt(f"nobody-{n}")) for n in range(8)] == [401] * 5 + [429] * 3
        assert cluster.reviews == ["token"] * 5
        assert await status(SECRET) == 403, "who has signed in lately"
        assert await status(jwt(robot, 2)) == 403, "a new token of who was here before"
        assert [await status(jwt(robot, n)) for n in range(3, 15)] == [401] * 9 + [429] * 3
        assert cluster.reviews.count("token") == 5 + 10


async def test_a_jwt_that_nobody_takes_is_refused_without_a_question(tmp_path: Path, reviews: str) -> None:
    async with lab(tmp_path, auth_reviews=reviews, rate_sign_ins=0.01, rate_sign_ins_burst=1) as (cluster, gateway):
        for token in (
            jwt("ann", exp=time.time() - 7200),
            "eyJ.eyJ.x",
            jwt("ann").rpartition(".")[0] + ".",
            f"{jwt('ann')[:-40]}é",
        ):
            async with gateway.get(JOBS, headers=ann(token)) as response:
                await problem_in(response, 401)
        assert cluster.reviews == []
        async with gateway.get(JOBS, headers=ann()) as response:
            assert response.status == 403


async def test_who_must_wait_for_a_question_is_let_in_when_one_is_left_and_not_by_who_came_first() -> None:
    now, order = 0.0, list[int]()

    async def sleep(seconds: float) -> None:
        nonlocal now
        wake = now + seconds
        while now < wake:
            await asyncio.sleep(0)
            now += 0.0001

    newcomers = Newcomers(20, 1, clock=lambda: now, sleep=sleep)

    async def come(number: int) -> None:
        await newcomers.admit("10.0.0.1", b"", lambda: True)
        order.append(number)

    await asyncio.gather(*map(come, range(20)))
    assert sorted(order) == list(range(20))
    assert order != sorted(order)
    assert 19 / 20 <= now < 3, "no faster than the rate"


async def test_each_write_has_one_line_in_the_audit(tmp_path: Path, reviews: str, lines: list[dict[str, Any]]) -> None:
    async with lab(tmp_path, auth_reviews=reviews, write_wait_seconds=0) as (cluster, gateway):
        cluster.rules.add(("ann", "create", "simulationjobs", "default"))
        body = {"params": {"secret_parameter": 12345}}
        async with gateway.post(JOBS, json=body, headers={**ann(), "X-Request-ID": "run-7"}) as response:
            job_id = (await response.json())["jobs"][0]
            assert response.headers["X-Request-ID"] == "run-7"
        (line,) = lines
        assert 0 <= line.pop("seconds") < 60
        assert line.pop("time").endswith("Z")
        assert line == {
            "logger": "simops.audit",
            "request_id": "run-7",
            "user": "ann",
            "uid": "7",
            "groups": ["lab"],
            "remote": "127.0.0.1",
            "method": "POST",
            "path": JOBS,
            "action": "create_jobs",
            "objects": [{"kind": "SimulationJob", "namespace": "default", "name": job_id, "result": "done"}],
            "status": 201,
            "result": "ok",
        }


async def test_refused_writes_are_in_the_audit_and_reads_are_not(
    tmp_path: Path, reviews: str, lines: list[dict[str, Any]]
) -> None:
    async with lab(tmp_path, auth_reviews=reviews, auth_cache_seconds=0) as (cluster, gateway):

        async def write(status: int, headers: dict[str, str], **body: Any) -> dict[str, Any]:
            lines.clear()
            async with gateway.post(JOBS, headers=headers, **body) as response:
                assert response.status == status
            (line,) = lines
            assert (line["status"], line["result"]) == (status, "failed" if status >= 500 else "refused")
            return line

        line = await write(401, {}, json={})
        assert (line["user"], line["objects"]) == (None, [])
        line = await write(403, ann(), json={})
        assert line["user"] == "ann"
        assert line["objects"] == [{"kind": "SimulationJob", "namespace": "default", "name": "", "result": "forbidden"}]
        assert (await write(422, ann(), data=b"{"))["user"] == "ann"
        assert (await write(413, ann(), data=io.BytesIO(b"x" * (2 << 20))))["user"] == "ann"
        cluster.rules.add(("ann", "create", "simulationjobs", "default"))
        cluster.write_refusal = 422
        assert (await write(422, ann(), json={}))["objects"][0]["result"] == "refused"
        cluster.refusal = 500
        assert (await write(503, ann("another"), json={}))["user"] is None
        lines.clear()
        async with gateway.get(JOBS) as response:
            await problem_in(response, 401)
        assert not lines


async def test_a_write_whose_client_has_left_is_in_the_audit(tmp_path: Path, lines: list[dict[str, Any]]) -> None:
    async with lab(tmp_path, write_wait_seconds=0) as (cluster, gateway):
        cluster.rules.add(("ann", "create", "simulationjobs", "default"))
        head = (
            f"POST {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Type: application/json\r\n"
        )
        url = gateway._base_url
        assert url is not None
        for rest, has_arrived in (("Content-Length: 2\r\n\r\n{}", True), ("Content-Length: 100\r\n\r\n{", False)):
            lines.clear()
            cluster.going.clear()
            _, writer = await asyncio.open_connection(url.host, url.port)
            writer.write((head + rest).encode())
            await writer.drain()
            if has_arrived:
                await asyncio.wait_for(cluster.arrived.wait(), 60)
            writer.close()
            await writer.wait_closed()
            cluster.going.set()
            await asyncio.wait_for(_until(lambda: bool(lines)), 60)
            assert [one["result"] for one in lines[0]["objects"]] == (["done"] if has_arrived else [])
            assert lines[0]["user"] == "ann"


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - a line of a log is no event
        await asyncio.sleep(0.01)


async def test_every_answer_has_security_headers_and_an_id(tmp_path: Path) -> None:
    async with lab(tmp_path, auth_mode="none") as (cluster, gateway):
        cluster.write_refusal = 500
        calls = [gateway.get(path) for path in (JOBS, "/nothing", "/live", f"{JOBS}/heat", f"{JOBS}?page=0")]
        calls += [gateway.post(JOBS, json={}), gateway.put(JOBS), gateway.post(JOBS, data=io.BytesIO(b"x" * (2 << 20)))]
        for call in calls:
            async with call as response:
                for name, value in DEFAULTS.items():
                    assert response.headers[name] == value, response.url
                assert len(response.headers["X-Request-ID"]) == 32
                assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "x" * 129, "<script>", "ä", '"', "-a"])
async def test_an_id_that_cannot_be_written_everywhere_is_replaced(tmp_path: Path, given: str) -> None:
    async with (
        lab(tmp_path, auth_mode="none") as (_, gateway),
        gateway.get("/live", headers={"X-Request-ID": given}) as response,
    ):
        assert len(response.headers["X-Request-ID"]) == 32


async def test_what_goes_wrong_inside_has_the_headers_of_every_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with lab(tmp_path, auth_mode="none") as (cluster, gateway):
        cluster.odd = True
        async with gateway.post(JOBS, json={}, headers={"X-Request-ID": "run-8"}) as response:
            await problem_in(response, 500)
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["X-Request-ID"] == "run-8"
    assert "KeyError: 'metadata'" in caplog.text


@pytest.mark.parametrize("text", ["[", '{"a":', '{"params":', '{"sweep":[', '{"space":{"axes":['])
async def test_json_of_any_depth_is_a_mistake_of_who_sends_it(tmp_path: Path, text: str) -> None:
    async with lab(tmp_path, auth_mode="none") as (cluster, gateway):
        for depth in (50, 500, 990, 1100, 5_000, 100_000):
            for end in ("", "1" + ("}" if text.endswith(":") else "]") * depth):
                async with gateway.post(
                    JOBS, data=io.BytesIO((text * depth + end).encode()), headers={"Content-Type": "application/json"}
                ) as response:
                    problem = await problem_in(response, response.status)
                    assert response.status in (400, 413, 422), (depth, problem)
        assert not cluster.written


async def test_an_address_or_headers_that_are_too_long_are_refused(tmp_path: Path) -> None:
    async with lab(tmp_path, auth_mode="none") as (_, gateway):
        for path, headers, status in (
            (f"{JOBS}?label=a={'b' * 8000}", {}, 422),  # it is read, and no label is so long
            (f"{JOBS}?label=a={'b' * 17_000}", {}, 414),
            (f"/{'b' * 17_000}", {}, 414),
            (JOBS, {"X-Long": "a" * 8000}, 200),
            (JOBS, {f"X-{number}": "a" * 8000 for number in range(5)}, 431),
        ):
            async with gateway.get(path, headers=headers) as response:
                assert response.status == status
                assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_two_tokens_are_none(tmp_path: Path, reviews: str) -> None:
    async with lab(tmp_path, auth_reviews=reviews) as (cluster, gateway):
        cluster.rules.add(("ann", "list", "simulationjobs", "default"))
        both = CIMultiDict([("Authorization", f"Bearer {SECRET}"), ("Authorization", "Bearer other")])
        async with gateway.get(JOBS, headers=both) as response:
            await problem_in(response, 401)


async def test_no_value_of_a_header_ends_its_line() -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"location", b"/a\r\nSet-Cookie: x=1\x00")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    await SecurityHeaders(app)({"type": "http"}, receive, send)
    assert dict(sent[0]["headers"])[b"location"] == b"/a  Set-Cookie: x=1"


async def test_pages_of_other_origins_may_call_only_where_that_is_said(tmp_path: Path) -> None:
    origin = "https://lab.example.org"
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    async with lab(tmp_path, cors_origins=origin) as (_, gateway):
        async with gateway.options(JOBS, headers=asked) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == origin
            assert "Access-Control-Allow-Credentials" not in response.headers
        async with gateway.get(JOBS, headers={"Origin": origin}) as response:
            assert response.status == 401
            assert response.headers["Access-Control-Allow-Origin"] == origin
        async with gateway.get(JOBS, headers={"Origin": "https://evil.example"}) as response:
            assert "Access-Control-Allow-Origin" not in response.headers
    async with lab(tmp_path) as (_, gateway), gateway.options(JOBS, headers=asked) as response:
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_a_request_for_another_host_is_refused_where_hosts_are_said(tmp_path: Path) -> None:
    hosts = "simops.example.org,*.lab.example"
    async with lab(tmp_path, allowed_hosts=hosts, auth_mode="none") as (_, gateway):
        for host, status in (
            ("simops.example.org", 200),
            ("SimOps.example.org:8443", 200),
            ("a.lab.example", 200),
            ("lab.example", 421),
            ("evil.example", 421),
            ("simops.example.org.evil.example", 421),
            ("[::1]:8000", 421),
        ):
            async with gateway.get(JOBS, headers={"Host": host}) as response:
                assert response.status == status, host
        async with gateway.get("/live", headers={"Host": "10.0.0.7:8000"}) as response:
            assert response.status == 200


async def test_the_page_of_the_calls_may_load_its_scripts_and_nothing_else(tmp_path: Path) -> None:
    async with lab(tmp_path) as (_, gateway), gateway.get("/docs") as response:
        page, policy = await response.text(), response.headers["Content-Security-Policy"]
    assert "SwaggerUIBundle" in page
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert page.count("<script>") == policy.count("'sha256-")
    for address in page.split('"https://')[1:]:
        assert f"https://{address.partition('/')[0]}" in policy
    async with lab(tmp_path, docs_assets="", auth_mode="none") as (_, gateway), gateway.get("/docs") as response:
        await problem_in(response, 404)


async def test_no_sign_in_is_said_loudly_at_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with lab(tmp_path, auth_mode="none"):
        pass
    assert [r.levelname for r in caplog.records if "NOBODY IS ASKED WHO THEY ARE" in r.getMessage()] == ["WARNING"]


async def test_one_caller_has_a_part_of_all_streams_and_service_accounts_of_a_namespace_are_one(
    tmp_path: Path, reviews: str
) -> None:
    async with lab(tmp_path, auth_reviews=reviews, max_streams=8) as (cluster, gateway), AsyncExitStack() as stack:
        for name in ("one", "two", "three"):
            cluster.tokens[f"token-of-{name}"] = f"system:serviceaccount:evil:{name}"
        cluster.tokens["token-of-other"] = "system:serviceaccount:lab:one"
        cluster.rules |= {(user, "list", "simulationjobs", "default") for user in cluster.tokens.values()}

        async def begin(token: str) -> aiohttp.ClientResponse:
            response = await stack.enter_async_context(gateway.get("/api/v1/events", headers=ann(token)))
            if response.status == 200:
                assert (await anext(events_of(response))).name == "resync"
            return response

        assert [(await begin(f"token-of-{name}")).status for name in ("one", "two")] == [200, 200]
        refused = await begin("token-of-three")
        assert "2 streams" in (await problem_in(refused, 429))["detail"]
        assert refused.headers["Retry-After"] == "5"
        assert (await begin("token-of-other")).status == 200
        assert (await begin(SECRET)).status == 200


def test_limits_count_for_users_and_for_the_service_accounts_of_a_namespace() -> None:
    assert Caller("ann").account == "ann"
    assert Caller("system:serviceaccount:lab:robot").account == "system:serviceaccount:lab"
    assert Caller("system:serviceaccount:lab:robot").account != Caller("system:serviceaccount:lab-2:robot").account
