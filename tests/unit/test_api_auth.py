"""Who somebody is and what they may do, without a server: kept answers, reviews, the file of tokens, the rate limit."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simops_api.auth import asking, reviewed
from simops_api.auth.access import Verb
from simops_api.auth.asking import CallerReviews, OwnReviews, Reviews
from simops_api.auth.caller import Caller
from simops_api.auth.remembered import DENIED_SECONDS, NoAnswerError, RefusedError, Remembered, Times
from simops_api.auth.reviews import Question, caller_asking, caller_in, is_allowed, self_review, token_review
from simops_api.auth.tokens import AUTHENTICATED, TokenFile, TokenFileError, digest_of, parse_tokens
from simops_api.cluster import ApiError
from simops_api.errors import ProblemError
from simops_api.ratelimit import RateLimit, address_key
from simops_crds.kinds import SIMULATION_JOB

ANN = Caller("ann", ("lab",), "7", {"scopes": ("a", "b")})
TOKEN = "0123456789abcdef"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Server:
    """Answers questions as the test wants, and counts them."""

    def __init__(self) -> None:
        self.answer: bool | None = True
        self.asked = 0
        self.going = asyncio.Event()
        self.going.set()
        self.arrived = asyncio.Event()

    async def ask(self) -> bool:
        self.asked += 1
        self.arrived.set()
        await self.going.wait()
        if self.answer is None:
            raise NoAnswerError
        return self.answer


def kept(clock: Clock, size: int = 10, fresh: float = 10, stale: float = 300) -> Remembered[str, bool]:
    return Remembered(Times(fresh, stale), bool, size, clock)


async def test_a_yes_is_given_again_until_it_is_old_and_a_no_only_for_a_short_time() -> None:
    clock, server = Clock(), Server()
    answers = kept(clock)
    for answer, lifetime in ((True, 10), (False, DENIED_SECONDS)):
        server.answer, server.asked = answer, 0
        for _ in range(3):
            assert await answers.get(str(answer), server.ask, stale=True) is answer
        clock.now += lifetime - 0.1
        assert await answers.get(str(answer), server.ask, stale=True) is answer
        assert server.asked == 1
        clock.now += 0.1
        assert await answers.get(str(answer), server.ask, stale=True) is answer
        assert server.asked == 2


async def test_however_many_ask_at_once_one_question_is_asked() -> None:
    server = Server()
    server.going.clear()
    answers = kept(Clock())
    asking = [asyncio.create_task(answers.get("a", server.ask, stale=True)) for _ in range(500)]
    await asyncio.sleep(0)
    asking[0].cancel()
    server.going.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [True] * 499
    assert server.asked == 1


async def test_without_an_answer_reads_are_served_from_an_old_one_and_writes_are_not() -> None:
    clock, server = Clock(), Server()
    answers = kept(clock)
    await answers.get("a", server.ask, stale=True)
    server.answer = None
    clock.now += 299
    assert await answers.get("a", server.ask, stale=True) is True
    with pytest.raises(NoAnswerError):
        await answers.get("a", server.ask, stale=False)
    with pytest.raises(NoAnswerError):
        await answers.get("b", server.ask, stale=True)
    clock.now += 1
    with pytest.raises(NoAnswerError):
        await answers.get("a", server.ask, stale=True)


async def test_while_the_server_is_away_nobody_waits_for_it_and_its_return_is_noticed() -> None:
    clock, server = Clock(), Server()
    answers = kept(clock)
    await answers.get("a", server.ask, stale=True)
    clock.now += 20
    server.answer = None
    assert await answers.get("a", server.ask, stale=True) is True
    server.going.clear()
    for _ in range(100):
        assert await answers.get("a", server.ask, stale=True) is True
    await asyncio.sleep(0)
    assert server.asked == 3
    server.answer = False
    server.going.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert await answers.get("a", server.ask, stale=True) is False


async def test_a_question_that_is_refused_lets_nobody_else_have_an_old_answer() -> None:
    clock, server = Clock(), Server()
    answers = kept(clock)

    async def refused() -> bool:
        raise RefusedError

    for key in ("a", "b"):
        await answers.get(key, server.ask, stale=True)
    clock.now += 20
    assert await answers.get("a", refused, stale=True) is True
    server.answer = False
    assert await answers.get("b", server.ask, stale=True) is False


async def test_the_least_recently_used_answer_is_forgotten_first() -> None:
    server = Server()
    answers = kept(Clock(), size=2)
    for key in ("a", "b", "a", "c", "a"):
        await answers.get(key, server.ask, stale=True)
    assert len(answers) == 2
    assert server.asked == 3
    await answers.get("b", server.ask, stale=True)
    assert server.asked == 4


async def test_an_answer_is_as_old_as_its_question() -> None:
    clock, server = Clock(), Server()
    server.going.clear()
    answers = kept(clock)
    task = asyncio.create_task(answers.get("a", server.ask, stale=True))
    await server.arrived.wait()
    clock.now += 10
    server.going.set()
    await task
    await answers.get("a", server.ask, stale=True)
    assert server.asked == 2


def test_a_question_carries_all_that_is_known_of_the_caller() -> None:
    body = Question(ANN, "get", "simulationjobs", "lab", "heat").body
    assert body["apiVersion"] == "authorization.k8s.io/v1"
    assert body["spec"] == {
        "user": "ann",
        "uid": "7",
        "groups": ["lab"],
        "extra": {"scopes": ["a", "b"]},
        "resourceAttributes": {
            "group": "simops.dev",
            "resource": "simulationjobs",
            "verb": "get",
            "namespace": "lab",
            "name": "heat",
        },
    }
    path = Question(Caller("bob"), "get", path="/metrics").body["spec"]
    assert path == {"user": "bob", "groups": [], "nonResourceAttributes": {"path": "/metrics", "verb": "get"}}


def test_a_question_of_the_caller_names_nobody() -> None:
    body = Question(ANN, "get", "simulationjobs", "lab", "heat").self_body
    assert body["kind"] == "SelfSubjectAccessReview"
    assert body["spec"].keys() == {"resourceAttributes"}
    assert Question(ANN, "get", path="/metrics").self_body["spec"] == {
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"}
    }
    assert self_review() == {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


def test_who_asks_is_somebody_only_if_the_answer_names_them() -> None:
    user = {"username": "ann", "uid": "7", "groups": ["lab"], "extra": {"scopes": ["a", "b"]}}
    assert caller_asking(answered(userInfo=user)) == ANN
    for answer in (
        {},
        answered(),
        answered(userInfo={}),
        answered(userInfo={"username": ""}),
        answered(user=user),
        answered(userInfo={"username": "system:anonymous"}),
        answered(userInfo={"username": "ann", "groups": ["system:unauthenticated"]}),
    ):
        assert caller_asking(answer) is None


def test_a_token_is_not_shown_with_its_caller_and_not_kept_with_an_answer() -> None:
    reviews = CallerReviews(SelfReviewer())
    signed = reviews.signed(ANN, TOKEN)
    assert (signed, signed.token) == (ANN, TOKEN)
    one = reviews.key(Question(signed, "get", "simulationjobs", "lab"))
    other = reviews.key(Question(reviews.signed(ANN, f"{TOKEN}2"), "get", "simulationjobs", "lab"))
    assert one != other
    assert one == reviews.key(Question(reviews.signed(ANN, TOKEN), "get", "simulationjobs", "lab"))
    for shown in (
        repr(signed),
        repr(Question(signed, "get")),
        repr(one),
        str(vars(OwnReviews(Reviewer()).signed(ANN, TOKEN))),
    ):
        assert TOKEN not in shown


def test_callers_who_differ_in_anything_are_asked_about_apart() -> None:
    base: dict[str, Any] = {"name": "ann", "groups": ("lab",), "uid": "7", "extra": {"a": ("b",)}}
    changes: list[dict[str, Any]] = [
        {},
        {"name": "bob"},
        {"groups": ()},
        {"uid": "8"},
        {"extra": {"a": ("c",)}},
        {"extra": {}},
    ]
    assert len({Question(Caller(**{**base, **change}), "get", "r", "n") for change in changes}) == len(changes)
    assert Question(Caller(**base), "get") == Question(Caller(**{**base, "extra": {"a": ("b",)}}), "get")


def answered(**status: Any) -> dict[str, Any]:
    return {"status": status}


def test_a_token_is_somebodys_only_if_the_answer_says_so() -> None:
    user = {"username": "ann", "uid": "7", "groups": ["lab"], "extra": {"scopes": ["a", "b"]}}
    assert caller_in(answered(authenticated=True, user=user), ()) == ANN
    for answer in (
        {},
        answered(),
        answered(authenticated=False, user=user),
        answered(authenticated="true", user=user),
        answered(authenticated=True),
        answered(authenticated=True, user={"username": ""}),
    ):
        assert caller_in(answer, ()) is None


def test_a_token_for_another_audience_is_nobodys() -> None:
    user = {"username": "ann"}
    assert token_review("t", ("simops",))["spec"] == {"token": "t", "audiences": ["simops"]}
    assert token_review("t", ())["spec"] == {"token": "t"}
    assert caller_in(answered(authenticated=True, user=user, audiences=["simops", "x"]), ("simops",)) is not None
    for audiences in ([], ["https://kubernetes.default.svc"], None):
        assert caller_in(answered(authenticated=True, user=user, audiences=audiences), ("simops",)) is None


def test_only_a_clear_yes_allows() -> None:
    assert is_allowed(answered(allowed=True))
    for answer in (
        {},
        answered(),
        answered(allowed=False),
        answered(allowed="yes"),
        answered(allowed=True, denied=True),
    ):
        assert not is_allowed(answer)


def test_the_file_of_tokens_names_users_and_groups() -> None:
    text = f'\ufeff# people\n\n{TOKEN},ann,"lab, heat"\r\n{TOKEN}2, "bob"\n"{TOKEN}""3",carl,\n'
    found = parse_tokens(text)
    assert found[digest_of(TOKEN)] == Caller("ann", ("lab", "heat", AUTHENTICATED))
    assert found[digest_of(f"{TOKEN}2")] == Caller("bob", (AUTHENTICATED,))
    assert found[digest_of(f'{TOKEN}"3')] == Caller("carl", (AUTHENTICATED,))


WRONG = [
    ("", "no line has a token"),
    ("# nobody\n", "no line has a token"),
    (TOKEN, "line 1: has 1 columns"),
    (f"{TOKEN},ann,7,lab", "line 1: has 4 columns"),
    (f"\n{TOKEN[:-1]},ann", "line 2: a token has at least 16 characters"),
    (f"{TOKEN} 1,ann", "printable ASCII characters without spaces"),
    (f"{TOKEN}ä,ann", "printable ASCII"),
    (f"{TOKEN},", "a user name is needed"),
    (f"{TOKEN},a\x07b", "without control characters"),
    (f"{TOKEN},system:admin", "'system:admin'"),
    (f'{TOKEN},ann,"lab,system:masters"', "'system:masters'"),
    (f"{TOKEN},ann\n{TOKEN},bob", "line 2: this token stands in an earlier line"),
    (f'{TOKEN},ann,"lab', "line 1: "),
    (f'{TOKEN},"ann"x', "line 1: "),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_a_wrong_file_of_tokens_says_which_line_and_shows_no_token(text: str, words: str) -> None:
    with pytest.raises(TokenFileError) as caught:
        parse_tokens(text)
    assert words in str(caught.value)
    assert TOKEN[:-1] not in str(caught.value)


@given(st.text(max_size=200))
def test_whatever_is_in_the_file_it_is_read_or_refused(text: str) -> None:
    try:
        callers = parse_tokens(text)
    except TokenFileError:
        return
    assert all(caller.name and not caller.name.startswith("system:") for caller in callers.values())


def swap(folder: Path, name: str, text: str) -> None:
    """Change a file as the mount of a Secret changes: by another folder behind a link."""
    (folder / name).mkdir()
    (folder / name / "tokens").write_text(text)
    (folder / "new").symlink_to(name)
    (folder / "new").replace(folder / "data")


def test_tokens_of_a_secret_that_changes_are_read_again_and_a_wrong_one_keeps_the_old(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    swap(tmp_path, "one", f"{TOKEN},ann\n")
    file = TokenFile(str(tmp_path / "data" / "tokens"), clock)
    assert file.find(TOKEN) == Caller("ann", (AUTHENTICATED,))
    swap(tmp_path, "two", f"{TOKEN}2,bob\n")
    assert file.find(TOKEN) is not None, "the file is looked at once a second"
    clock.now += 1
    assert file.find(TOKEN) is None
    assert file.find(f"{TOKEN}2") is not None
    swap(tmp_path, "three", f"{TOKEN}3,system:bob\n")
    for _ in range(5):
        clock.now += 1
        assert file.find(f"{TOKEN}2") is not None
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the old ones stay in use" in caplog.text
    assert TOKEN not in caplog.text
    (tmp_path / "data" / "tokens").unlink()
    clock.now += 1
    assert file.find(f"{TOKEN}2") is not None
    swap(tmp_path, "four", f"{TOKEN}4,dora\n")
    clock.now += 1
    assert file.find(f"{TOKEN}4") is not None
    assert file.find(f"{TOKEN}2") is None


def test_a_file_of_tokens_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenFileError, match="No such file"):
        TokenFile(str(tmp_path / "nothing"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(TokenFileError, match="is not UTF-8"):
        TokenFile(str(tmp_path / "binary"))


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    clock = Clock()
    limit = RateLimit("reads", 10, 5, clock=clock)
    standings = [limit.take("ann") for _ in range(5)]
    assert [standing.remaining for standing in standings if standing] == [4, 3, 2, 1, 0]
    refused = limit.take("ann")
    assert refused is not None
    assert refused.wait == pytest.approx(0.1)
    assert refused.headers == {"RateLimit-Policy": '"reads";q=5;w=1', "RateLimit": '"reads";r=0;t=1'}
    other = limit.take("bob")
    assert other is not None
    assert not other.wait
    clock.now += 0.1
    again = limit.take("ann")
    assert again is not None
    assert not again.wait


@example(433.199)
@given(st.floats(0, 1e6))
def test_a_whole_number_of_seconds_is_told_as_such_whatever_the_clock_says(now: float) -> None:
    clock = Clock()
    clock.now = now
    standing = RateLimit("reads", 0.01, 3, clock=clock).take("ann")
    assert standing is not None
    assert standing.headers["RateLimit"] == '"reads";r=2;t=100'


def test_no_limit_is_no_limit() -> None:
    assert RateLimit("reads", 0, 1).take("ann") is None


@given(st.lists(st.floats(0, 3), min_size=1, max_size=200), st.sampled_from([0.5, 1.0, 7.0]), st.integers(1, 10))
def test_nobody_gets_more_than_the_burst_and_the_rate(pauses: list[float], rate: float, burst: int) -> None:
    clock = Clock()
    limit = RateLimit("reads", rate, burst, clock=clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        standing = limit.take("ann")
        assert standing is not None
        passed += not standing.wait
        if standing.wait:
            assert limit.look("ann") == standing
    assert passed <= burst + rate * sum(pauses) + 1e-6


def test_the_memory_of_a_rate_limit_is_bounded_and_lets_go_of_who_is_gone() -> None:
    clock = Clock()
    limit = RateLimit("reads", 1, 10, size=100, clock=clock)
    for number in range(1000):
        limit.take(str(number))
    assert len(limit) <= 100
    clock.now += 60
    for _ in range(200):
        limit.take("ann")
        clock.now += 1
    assert len(limit) == 1


def test_one_network_of_ipv6_is_one_client() -> None:
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:2%eth0") == "2001:db8::/64"
    assert address_key("::ffff:10.0.0.1") == address_key("10.0.0.1") == "10.0.0.1"
    assert address_key("") == address_key("unix:") == "?"


class Reviewer:
    """Says yes, until it says nothing any more."""

    def __init__(self) -> None:
        self.is_silent = False

    async def review(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.is_silent:
            await asyncio.Event().wait()
        return {"status": {"allowed": True, "authenticated": True, "user": {"username": "ann"}, "asked": body["kind"]}}


class SelfReviewer:
    """Says yes to whoever asks, until it refuses or says nothing any more."""

    def __init__(self) -> None:
        self.is_silent = False
        self.refusal = 0

    async def review(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        assert token
        if self.is_silent:
            await asyncio.Event().wait()
        if self.refusal:
            raise ApiError(self.refusal, "no")
        return {"status": {"allowed": True, "userInfo": {"username": "ann"}, "asked": body["kind"]}}


@pytest.mark.parametrize(("status", "error"), [(403, RefusedError), (429, RefusedError), (500, NoAnswerError)])
async def test_a_caller_who_may_not_ask_says_nothing_of_others(status: int, error: type[Exception]) -> None:
    reviewer = SelfReviewer()
    reviewer.refusal = status
    reviews = CallerReviews(reviewer)
    for question in (reviews.whose(TOKEN), reviews.may(Question(reviews.signed(ANN, TOKEN), "get"))):
        with pytest.raises(NoAnswerError) as caught:
            await question
        assert caught.type is error


async def test_a_token_that_the_api_server_does_not_take_is_nobodys() -> None:
    reviewer = SelfReviewer()
    reviewer.refusal = 401
    reviews = CallerReviews(reviewer)
    assert await reviews.whose(TOKEN) is None
    assert await reviews.may(Question(reviews.signed(ANN, TOKEN), "get")) is None


@pytest.mark.parametrize("whose", ["own", "caller"])
async def test_a_server_that_says_nothing_holds_up_no_read_for_long(
    monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    monkeypatch.setattr(asking, "_REVIEW_SECONDS", 0.01)
    own, callers, times = Reviewer(), SelfReviewer(), Times(0, 300)
    reviewer = own if whose == "own" else callers
    reviews: Reviews = OwnReviews(own) if whose == "own" else CallerReviews(callers)
    identities = reviewed.ReviewedIdentities(reviews, times)
    access = reviewed.ReviewedAccess(reviews, identities, ("lab",), times)

    async def read(token: str = TOKEN) -> frozenset[str]:
        caller = await access.sign_in(f"Bearer {token}")
        await access.require(caller, Verb.GET, SIMULATION_JOB, "lab", "heat")
        return await access.namespaces(caller, Verb.LIST, SIMULATION_JOB)

    assert await read() == {"lab"}
    reviewer.is_silent = True
    for _ in range(3):
        assert await read() == {"lab"}
    caller = await access.sign_in(f"Bearer {TOKEN}")
    for refused in (
        access.sign_in(f"Bearer {TOKEN}", reads=False),
        access.sign_in("Bearer another"),
        access.require(caller, Verb.CREATE, SIMULATION_JOB, "lab"),
        access.require(Caller("bob", token=f"{TOKEN}2"), Verb.GET, SIMULATION_JOB, "lab"),
    ):
        with pytest.raises(ProblemError) as caught:
            await refused
        assert caught.value.status == 503
        assert int(caught.value.headers["Retry-After"]) > 0
