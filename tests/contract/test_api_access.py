"""Sign-in and permission against a real API server: real service accounts, tokens and RBAC, for every call that the gateway has.

All of it twice: with a gateway that may ask about callers, and with one that has Roles in its namespaces and nothing else, and asks with their tokens.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from contract.access import GATEWAY_RULES, GATEWAY_VERBS, People, service_account, user
from contract.objects import job, sweep
from contract.server import Api
from sse import events_of
from unit.test_api_serving import problem_in, serving

from simops_api.app import create_app
from simops_api.auth.gate import OPEN
from simops_api.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

A, B = "team-a", "team-b"
ALL = ["get", "list", "create", "patch"]
JOBS = "/api/v1/jobs"
ME = "/api/v1/me"
SECRET = "secret-of-b"
STATIC = "static-token-of-dora"
DEADLINE = 60

PATHS = {"job_id": SECRET, "sweep_id": SECRET, "path": "log.txt", "index": "0"}
BODIES: dict[tuple[str, str], Any] = {
    ("post", "/api/v1/points"): [{"x": 1}],
    ("post", JOBS): {"namespace": B, "image": "sim:local"},
    ("post", f"{JOBS}/bulk"): {
        "jobs": [{"namespace": A, "image": "sim:local"}, {"namespace": B, "image": "sim:local"}]
    },
    ("post", "/api/v1/sweeps"): {"namespace": B, "image": "sim:local", "command": ["run"], "sweep": [{"a": 1}]},
    ("post", "/api/v1/sweeps/{sweep_id}/rerun"): {"points": "failed"},
}
"""A body for each call that takes one, about namespace B."""
QUERIES: dict[tuple[str, str], dict[str, str]] = {
    ("delete", JOBS): {"label": "a=b"},
    ("get", "/api/v1/sweeps/{sweep_id}/plot"): {"metric": "m", "x": "x"},
}
"""What a call needs beside it."""


class Lab:
    """The gateway, and the tokens of those who call it."""

    def __init__(self, session: aiohttp.ClientSession, tokens: dict[str, str]) -> None:
        self.session = session
        self.tokens = tokens

    def call(self, who: str, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return self.session.request(method, path, headers=headers, **more)

    async def until(self, who: str, path: str, status: int) -> None:
        """Wait until the API server's authorizer knows a rule that was made or taken away."""
        async with asyncio.timeout(DEADLINE):
            while True:
                async with self.call(who, "GET", path) as response:
                    if response.status == status:
                        return


@pytest.fixture(scope="module")
def people(api: Api) -> Iterator[People]:
    made = People(api, [])
    try:
        for namespace in (A, B):
            made.namespace(namespace)
        for name in ("ann", "stranger", "narrow", "gateway", "modest-gateway", "scraper"):
            made.account(A, name)
        made.account(B, "bob")
        made.may_everywhere("test-simops-gateway", [service_account(A, "gateway")], GATEWAY_RULES)
        for namespace in (A, B):
            made.may(namespace, "gateway", [service_account(A, "modest-gateway")], verbs=GATEWAY_VERBS)
        paths = [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
        made.may_everywhere("test-simops-scraper", [service_account(A, "scraper")], paths)
        made.may(A, "everything", [service_account(A, "ann"), user("dora")], verbs=ALL)
        made.may(A, "one", [service_account(A, "narrow")], verbs=["get"], resourceNames=["mine"])
        made.may(B, "everything", [service_account(B, "bob"), user("lab", "Group")], verbs=ALL)
        for name in ("mine", "yours"):
            made.make(job(name), A)
        made.make(job(SECRET), B)
        made.make(sweep(SECRET), B)
        yield made
    finally:
        for undo in reversed(made.undo):
            with contextlib.suppress(Exception):
                undo()


@pytest.fixture(scope="module")
def own(people: People, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A gateway that asks about callers itself."""
    kubeconfig = people.kubeconfig(people.token(A, "gateway"), tmp_path_factory.mktemp("gateway"))
    return Settings(
        auth_mode="kubernetes",
        kubeconfig=str(kubeconfig),
        namespaces=(A, B),
        auth_cache_seconds=0,
        store_endpoint="http://127.0.0.1:1",
    )


@pytest.fixture(scope="module", params=["own", "caller"])
def settings(
    request: pytest.FixtureRequest, own: Settings, people: People, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    if request.param == "own":
        return own
    kubeconfig = people.kubeconfig(people.token(A, "modest-gateway"), tmp_path_factory.mktemp("modest"))
    return own.model_copy(update={"auth_reviews": "caller", "kubeconfig": str(kubeconfig)})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(people: People, settings: Settings) -> AsyncIterator[Lab]:
    tokens = {name: people.token(A, name) for name in ("ann", "stranger", "narrow", "scraper")}
    tokens["bob"] = people.token(B, "bob")
    async with serving(settings) as session:
        found = Lab(session, tokens)
        await found.until("ann", f"{JOBS}/mine", 200)
        await found.until("bob", f"{JOBS}/{B}.{SECRET}", 200)
        yield found


Call = tuple[str, str, dict[str, Any]]


def calls() -> list[Call]:
    """Return every call that is not open, nor about its caller alone: method, path with its parameters, and how its OpenAPI describes it."""
    document = create_app(Settings(auth_mode="none")).openapi()
    return [
        (method, path, operation)
        for path, operations in document["paths"].items()
        if path not in OPEN and path != ME
        for method, operation in operations.items()
    ]


def prepared(call: Call, namespace: str) -> tuple[str, str, dict[str, Any]]:
    """Return a call about the object of a namespace: method, path and the rest."""
    method, path, operation = call
    names = dict(PATHS) if namespace == B else {**PATHS, "job_id": "mine", "sweep_id": "mine"}
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            value = names[parameter["name"]]
            is_id = parameter["name"] in ("job_id", "sweep_id")
            path = path.replace(f"{{{parameter['name']}}}", f"{B}.{value}" if is_id and namespace == B else value)
    more: dict[str, Any] = {"params": dict(QUERIES.get(call[:2], {}))}
    if "namespace" in {parameter["name"] for parameter in operation.get("parameters", [])}:
        more["params"]["namespace"] = namespace
    if "requestBody" in operation:
        more["json"] = BODIES[call[:2]]  # a KeyError here: say how the new call is made about namespace B
    return method.upper(), path, more


def is_stream(operation: dict[str, Any]) -> bool:
    return any("text/event-stream" in answer.get("content", {}) for answer in operation["responses"].values())


CALLS = calls()
NAMES = [f"{method} {path}" for method, path, _ in CALLS]


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
async def test_without_a_token_no_call_is_answered(lab: Lab, call: Call) -> None:
    method, path, more = prepared(call, B)
    async with lab.call("", method, path, **more) as response:
        await problem_in(response, 401)
        assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
@pytest.mark.parametrize("who", ["stranger", "ann", "narrow"])
async def test_who_has_no_rule_in_a_namespace_sees_nothing_of_it_in_any_call(lab: Lab, call: Call, who: str) -> None:
    method, path, more = prepared(call, B)
    async with lab.call(who, method, path, **more) as response:
        text = await response.text()
        problem = await problem_in(response, 403)
    if who == "ann":
        assert B in problem["detail"]  # the others may not even do it in A, where a call is about both
    nobody = {**more, "json": more["json"]} if "json" in more else more
    async with lab.call(who, method, path.replace(SECRET, "nothing"), **nobody) as response:
        other = await problem_in(response, 403)
    assert text.replace(SECRET, "nothing") == (await response.text()), "whether there is such an object must not show"
    assert other["detail"] == problem["detail"].replace(SECRET, "nothing")


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
async def test_without_a_namespace_a_call_is_about_those_of_the_caller(lab: Lab, call: Call) -> None:
    method, path, more = prepared(call, B)
    if more["params"].pop("namespace", None) is None or is_stream(call[2]):  # what a stream tells has a test of its own
        return
    async with lab.call("stranger", method, path, **more) as response:
        await problem_in(response, 403)
    async with lab.call("ann", method, path, **more) as response:
        text = await response.text()
        assert response.status < 500 or response.status == 503, text  # there is no store here
    assert SECRET not in text
    assert B not in text


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
async def test_who_has_a_rule_is_let_through(lab: Lab, call: Call) -> None:
    if is_stream(call[2]) or "requestBody" in call[2]:
        return
    method, path, more = prepared(call, A)
    # Nothing is to be cancelled here.
    who = "ann" if method == "GET" else "stranger"
    async with lab.call(who, method, path.replace("mine", "yours"), **more) as response:
        assert (response.status in (401, 403)) == (who == "stranger"), await response.text()


async def test_everybody_who_is_known_is_told_what_they_may_do_and_nobody_else(lab: Lab) -> None:
    every = dict.fromkeys(ALL, True)
    for who, where in (("ann", [A]), ("bob", [B]), ("stranger", [])):
        async with lab.call(who, "GET", ME) as response:
            found = await response.json()
        assert found["name"].endswith(f":{who}")
        assert not found["anonymous"]
        assert found["namespaces"] == [{"namespace": one, "jobs": every, "sweeps": every} for one in where]
    async with lab.call("", "GET", ME) as response:
        await problem_in(response, 401)


async def test_changes_are_told_of_the_namespaces_of_the_caller_until_they_may_list_nothing(
    lab: Lab, people: People
) -> None:
    people.account(A, "watcher")
    lab.tokens["watcher"] = people.token(A, "watcher")
    people.may(A, "watchers", [service_account(A, "watcher")], verbs=["get", "list"])
    await lab.until("watcher", JOBS, 200)
    async with asyncio.timeout(DEADLINE), lab.call("watcher", "GET", "/api/v1/events") as response:
        events = events_of(response)
        assert (await anext(events)).name == "resync"
        people.make(job("seen-b"), B)
        people.make(job("seen-a"), A)
        told = await anext(events)
        assert (told.name, json.loads(told.data)["id"]) == ("job", "seen-a")
        people.rbac.delete_namespaced_role_binding("watchers", A)
        await lab.until("watcher", JOBS, 403)
        people.remove(job("seen-a"), A)
        people.remove(job("seen-b"), B)
        rest = [event async for event in events]
    people.rbac.delete_namespaced_role("watchers", A)
    people.core.delete_namespaced_service_account("watcher", A)
    assert rest[-1].name == "end"
    assert not any("seen-b" in event.data for event in rest)


async def test_numbers_and_lists_are_of_the_namespaces_of_the_caller(lab: Lab) -> None:
    for who, total in (("ann", 2), ("bob", 1)):
        async with lab.call(who, "GET", f"{JOBS}/stats") as response:
            assert (await response.json())["total"] == total
        async with lab.call(who, "GET", JOBS) as response:
            found = await response.json()
        assert found["total"] == total
        assert all(one["namespace"] == (A if who == "ann" else B) for one in found["items"])


async def test_a_rule_for_one_object_permits_that_one(lab: Lab) -> None:
    await lab.until("narrow", f"{JOBS}/mine", 200)
    async with lab.call("narrow", "GET", f"{JOBS}/yours") as response:
        await problem_in(response, 403)
    async with lab.call("narrow", "DELETE", f"{JOBS}/mine") as response:
        assert "may not patch" in (await problem_in(response, 403))["detail"]
    async with lab.call("narrow", "GET", JOBS) as response:
        await problem_in(response, 403)


async def test_metrics_are_for_those_who_may_get_the_path(lab: Lab) -> None:
    await lab.until("scraper", "/metrics", 200)
    async with lab.call("ann", "GET", "/metrics") as response:
        await problem_in(response, 403)
    async with lab.call("", "GET", "/metrics") as response:
        await problem_in(response, 401)


async def test_rights_and_accounts_that_are_taken_away_are_gone(lab: Lab, people: People) -> None:
    people.account(A, "guest")
    lab.tokens["guest"] = people.token(A, "guest")
    people.may(A, "guests", [service_account(A, "guest")], verbs=["get"])
    await lab.until("guest", f"{JOBS}/mine", 200)
    people.rbac.delete_namespaced_role_binding("guests", A)
    await lab.until("guest", f"{JOBS}/mine", 403)
    people.rbac.delete_namespaced_role("guests", A)
    people.core.delete_namespaced_service_account("guest", A)
    await lab.until("guest", f"{JOBS}/mine", 401)


async def test_a_certificate_of_the_gateway_makes_nobody_the_gateway(lab: Lab, api: Api, settings: Settings) -> None:
    # The API server believes a certificate before it looks at the token.
    assert api.client.configuration.cert_file
    async with serving(settings.model_copy(update={"kubeconfig": api.kubeconfig})) as session:
        other = Lab(session, {**lab.tokens, "nobody": "a-token-of-nobody"})
        for who, status in (("ann", 200), ("stranger", 403), ("nobody", 401)):
            async with other.call(who, "GET", f"{JOBS}/mine") as response:
                assert response.status == status, who


async def test_a_token_for_another_audience_is_not_taken(lab: Lab, people: People, own: Settings) -> None:
    lab.tokens["meant"] = people.token(A, "ann", ["simops.example.org"])
    async with lab.call("meant", "GET", f"{JOBS}/mine") as response:
        await problem_in(response, 401)
    audiences = {"auth_audiences": ("simops.example.org",)}
    async with serving(own.model_copy(update=audiences)) as session:
        other = Lab(session, lab.tokens)
        async with other.call("meant", "GET", f"{JOBS}/mine") as response:
            assert response.status == 200
        async with other.call("ann", "GET", f"{JOBS}/mine") as response:
            await problem_in(response, 401)


async def test_static_tokens_have_the_rights_of_their_user_and_groups(
    lab: Lab, own: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("static") / "tokens"
    file.write_text(f'{STATIC},dora\n{STATIC}-lab,emil,"lab"\n{STATIC}-none,fred\n')
    mode = {"auth_mode": "static", "static_tokens": str(file)}
    async with serving(own.model_copy(update=mode)) as session:
        tokens = {"dora": STATIC, "emil": f"{STATIC}-lab", "fred": f"{STATIC}-none", "ann": lab.tokens["ann"]}
        static = Lab(session, tokens)
        for who, mine, theirs in (("dora", 200, 403), ("emil", 403, 200), ("fred", 403, 403), ("ann", 401, 401)):
            await static.until(who, f"{JOBS}/mine", mine)
            async with static.call(who, "GET", f"{JOBS}/{B}.{SECRET}") as response:
                assert response.status == theirs, who


async def test_a_quota_that_is_used_up_is_said_as_such_and_not_as_a_missing_right(lab: Lab, people: People) -> None:
    resource = "count/simulationjobs.simops.dev"
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {resource: "0"}}}
    people.core.create_namespaced_resource_quota(A, quota)
    try:
        # The controller that counts is not there; the admission plugin goes by what the status says.
        status = {**quota, "status": {"hard": {resource: "0"}, "used": {resource: "0"}}}
        people.core.patch_namespaced_resource_quota_status("few", A, status)
        problem = None
        async with asyncio.timeout(DEADLINE):
            while problem is None:
                async with lab.call("ann", "POST", JOBS, json={"namespace": A, "image": "sim:local"}) as response:
                    if response.status == 201:
                        name = (await response.json())["jobs"][0].rpartition(".")[2]
                        people.remove(job(name), A)
                    else:
                        problem = await problem_in(response, 403)
        assert "exceeded quota: few" in problem["detail"]
        assert "may not" not in problem["detail"]
    finally:
        people.core.delete_namespaced_resource_quota("few", A)
