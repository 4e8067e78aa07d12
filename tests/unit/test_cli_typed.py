"""What is typed at the command line, and what it becomes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simops_cli.core import contract, exits, manifests, output, params, space, times
from simops_cli.core.argv import hoisted
from simops_cli.core.exits import Exit
from simops_cli.core.inputs import InputError
from simops_cli.core.resume import Seen
from simops_cli.ports import Order
from simops_client import errors
from simops_client.models import JobInfo, PointCounts, SweepInfo
from simops_crds.v1alpha1 import SimulationJobSpec
from simops_operator.core.jobs import arguments

values = st.one_of(
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)
names = st.from_regex(params.NAME, fullmatch=True)


class TestParameters:
    @given(values)
    def test_a_value_that_was_written_is_read_as_the_same(self, value: Any) -> None:
        read = params.scalar(params.written(value))
        assert (type(read), read) == (type(value), value)

    @given(st.dictionaries(names, values, max_size=5))
    def test_all_parameters_are_read_as_they_were_written(self, given_: dict[str, Any]) -> None:
        texts = [f"{name}={params.written(value)}" for name, value in given_.items()]
        assert params.parameters(texts) == given_

    def test_a_variable_is_text_as_it_is(self) -> None:
        assert params.assignment_of_variable("A=1=2 ") == {"name": "A", "value": "1=2 "}
        for text in ("A", "=1"):
            with pytest.raises(InputError, match="NAME=value"):
                params.assignment_of_variable(text)

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            *[
                ("1", 1),
                ("-2", -2),
                ("1.0", 1.0),
                ("1e-3", 0.001),
                (".5", 0.5),
                ("true", True),
                ("True", "True"),
                ("", ""),
            ],
            *[("1_000", "1_000"), ("0x10", "0x10"), ("nan", "nan"), ("inf", "inf"), ('"12"', "12"), ("a=b", "a=b")],
        ],
    )
    def test_values_are_typed_as_json_types_them(self, text: str, value: object) -> None:
        read = params.parameters([f"x={text}"])["x"]
        assert (type(read), read) == (type(value), value)

    @pytest.mark.parametrize(
        ("text", "words", "position"),
        [
            ("diffusivity", "name=value", 11),
            ("a b=1", "only letters", 1),
            ("1a=2", "starts with a letter", 0),
            ('x="open', "double quotes", 0),
            (f"x={10**30}", "64 bits", 0),
            ("x=1e999", "too large", 0),
        ],
    )
    def test_a_mistake_is_pointed_at(self, text: str, words: str, position: int) -> None:
        with pytest.raises(InputError, match=words) as caught:
            params.parameters([text])
        assert caught.value.position == position
        assert str(caught.value).endswith(f"{' ' * position}^")

    def test_a_parameter_that_is_given_twice_is_refused(self) -> None:
        with pytest.raises(InputError, match="a is given twice"):
            params.parameters(["a=1", "a=2"])


class TestSpaces:
    @pytest.mark.parametrize(
        ("text", "axis"),
        [
            ("d=logspace(1e-3,1e-1,32)", {"logspace": {"start": 0.001, "stop": 0.1, "num": 32}}),
            ("d=linspace( 0 , 1 , 5 )", {"linspace": {"start": 0, "stop": 1, "num": 5}}),
            ("d=integers(1,9)", {"integers": {"low": 1, "high": 9, "step": 1}}),
            ("d=integers(1,9,2)", {"integers": {"low": 1, "high": 9, "step": 2}}),
            ("d=1,2,5", {"values": [1, 2, 5]}),
            ("d=[1, 2.5, true]", {"values": [1, 2.5, True]}),
            ('d=ftcs,"a,b",btcs', {"values": ["ftcs", "a,b", "btcs"]}),
            ("d=7", {"values": [7]}),
        ],
    )
    def test_axes_are_read(self, text: str, axis: dict[str, Any]) -> None:
        assert space.axis(text) == ("d", axis)

    @pytest.mark.parametrize(
        ("text", "words", "position"),
        [
            ("d=geomspace(1,2,3)", "there is no geomspace", 2),
            ("d=linspace(0,1)", r"linspace\(first,last,how many\)", 11),
            ("d=linspace(0,one,3)", "all of them numbers", 11),
            ("d=linspace(0,1,2.5)", "is an integer", 15),
            ("d=1,,2", "a value is missing", 4),
            ("d=1,2,", "a value is missing", 6),
            ("d=", "a value is missing", 2),
            ("d=linspace(0,1,5", "the \\) at its end is missing", 10),
            ("d=__import__(os)", "there is no __import__", 2),
        ],
    )
    def test_a_mistake_is_pointed_at(self, text: str, words: str, position: int) -> None:
        with pytest.raises(InputError, match=words) as caught:
            space.axis(text)
        assert caught.value.position == position

    @given(st.lists(values, min_size=1, max_size=6))
    def test_a_list_that_was_written_is_read_as_the_same(self, listed: list[Any]) -> None:
        texts = [json.dumps(value) if isinstance(value, str) else params.written(value) for value in listed]
        assert space.axis(f"x={','.join(texts)}") == ("x", {"values": listed})

    def test_what_is_drawn_needs_a_method_and_how_many(self) -> None:
        made = space.space(["a=uniform(0,1)", "b=loguniform(1,10)"], method="sobol", samples=8, seed=1)
        assert made["axes"][1] == {"name": "b", "logUniform": {"low": 1, "high": 10}}
        assert (made["method"], made["samples"], made["seed"]) == ("sobol", 8, 1)
        with pytest.raises(InputError, match="needs --method"):
            space.space(["a=uniform(0,1)"])
        with pytest.raises(InputError, match="needs --samples"):
            space.space(["a=uniform(0,1)"], method="random")
        with pytest.raises(InputError, match="goes with --method"):
            space.space(["a=1,2"], samples=3)
        with pytest.raises(InputError, match="is one of"):
            space.space(["a=1,2"], method="montecarlo")
        with pytest.raises(InputError, match="twice"):
            space.space(["a=1,2", "a=3"])


class TestFiles:
    JOB = """
apiVersion: simops.dev/v1alpha1
kind: SimulationJob
metadata: {name: heat, namespace: lab, labels: {a: b}}
spec: {image: "sim:local", params: {length: 1.0}, timeoutSeconds: 60}
---
apiVersion: simops.dev/v1alpha1
kind: SimulationSweep
metadata: {name: many}
spec:
  template: {image: "sim:local", command: [run], params: {b: 2}}
  space: {axes: [{name: a, values: [1, 2]}]}
  retriesPerPoint: 3
"""

    def test_manifests_become_orders_and_orders_the_same_manifests(self) -> None:
        run, sweep = [manifests.order_of(one, "f") for one in manifests.documents(self.JOB, "f")]
        assert run.body == {
            "image": "sim:local", "params": {"length": 1.0}, "timeoutSeconds": 60, "namespace": "lab", "labels": {"a": "b"},
        }  # fmt: skip
        assert (run.name, run.is_sweep, sweep.is_sweep) == ("heat", False, True)
        kind, made = manifests.manifest_of(run, "default")
        assert (kind.kind, made["metadata"]) == (
            "SimulationJob",
            {"name": "heat", "namespace": "lab", "labels": {"a": "b"}},
        )
        kind, made = manifests.manifest_of(sweep, "default")
        assert made["metadata"] == {"name": "many", "namespace": "default"}
        assert made["spec"] == {
            "template": {"image": "sim:local", "command": ["run"], "params": {"b": 2}},
            "space": {"axes": [{"name": "a", "values": [1, 2]}]},
            "retriesPerPoint": 3,
        }

    def test_a_request_of_the_rest_api_becomes_an_object(self) -> None:
        body = {
            "container_image": "lab/Sim_x:1",
            "sweep": [{"a": 1}],
            "points_per_pod": "auto",
            "retries": 2,
            "command": ["x"],
        }
        _, made = manifests.manifest_of(Order(body, key="k"), "lab")
        assert made["spec"]["retriesPerPoint"] == 2
        assert made["spec"]["space"] == {"method": "list", "points": [{"a": 1}]}
        assert made["metadata"]["name"] == manifests.manifest_of(Order(body, key="k"), "lab")[1]["metadata"]["name"]
        assert made["metadata"]["name"] != manifests.manifest_of(Order(body, key="l"), "lab")[1]["metadata"]["name"]
        assert made["metadata"]["name"].startswith("sim-x-")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("a: [", "is no YAML"),
            ("- 1", "an object is expected"),
            ("kind: Pod\napiVersion: v1", "SimulationJob or SimulationSweep"),
            ("kind: List\nitems: [5]", "an item of the List"),
            ("apiVersion: simops.dev/v1alpha1\nkind: SimulationJob\nmetadata: [a]", "metadata is to be an object"),
            ("apiVersion: simops.dev/v1alpha1\nkind: SimulationJob\nspec: 5", "spec is to be an object"),
            (JOB.replace("timeoutSeconds: 60", "timeoutSeconds: -1"), r"spec.timeoutSeconds"),
            (JOB.replace("timeoutSeconds: 60", "timeout: 60"), r"spec.timeout\b"),
            (JOB.replace("timeoutSeconds: 60", "cancelled: true"), "there already"),
        ],
    )
    def test_a_wrong_file_is_refused_with_the_place(self, text: str, words: str) -> None:
        with pytest.raises(InputError, match=words):
            [manifests.order_of(one, "runs.yaml") for one in manifests.documents(text, "runs.yaml")]

    @pytest.mark.parametrize(
        "text", ['{"d": 1e-3, "e": 1E5, "i": 3}', "d: 1e-3\ne: 1E5\ni: 3", "{d: .001, e: 100000.0, i: 3}"]
    )
    def test_numbers_are_numbers_however_they_are_written(self, text: str) -> None:
        (found,) = manifests.documents(text, "f")
        assert {name: (type(value), value) for name, value in found.items()} == {
            "d": (float, 0.001), "e": (float, 1e5), "i": (int, 3),
        }  # fmt: skip

    def test_a_date_is_text_and_truth_is_as_in_yaml(self) -> None:
        (found,) = manifests.documents("a: 2020-01-01\nb: true\nc: 1.2.3\nd: '1e3'", "f")
        assert found == {"a": "2020-01-01", "b": True, "c": "1.2.3", "d": "1e3"}


class TestTheLine:
    def test_options_of_every_command_may_stand_anywhere(self) -> None:
        assert hoisted(["list", "-n", "lab", "--status", "failed", "--server=http://x"]) == [
            "-n", "lab", "--server=http://x", "list", "--status", "failed",
        ]  # fmt: skip
        assert hoisted(["list", "-nlab", "-q"]) == ["-n", "lab", "-q", "list"]
        assert hoisted(["dev", "run", "x", "--", "-n", "lab"]) == ["dev", "run", "x", "--", "-n", "lab"]

    @given(st.lists(st.sampled_from(["a", "-n", "lab", "-q", "--", "--server", "--x=1", "-p"]), max_size=8))
    def test_nothing_is_lost_and_what_follows_two_dashes_stays(self, words: list[str]) -> None:
        moved = hoisted(words)
        assert sorted(moved) == sorted(words)
        if "--" in words:
            assert moved[moved.index("--") :] == words[words.index("--") :]


class TestExits:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (InputError("x"), Exit.USAGE),
            (errors.NotFound("x", status=404), Exit.NOT_FOUND),
            (errors.Forbidden("x", status=403), Exit.FORBIDDEN),
            (errors.Unavailable("x"), Exit.UNREACHABLE),
            (errors.Invalid("x", status=422), Exit.REFUSED),
            (errors.SimulationFailed(JobInfo(id="a", status="Failed")), Exit.FAILED),
            (errors.SimulationFailed(JobInfo(id="a", status="Cancelled")), Exit.CANCELLED),
            (TimeoutError("x"), Exit.TIMEOUT),
            (RuntimeError("x"), Exit.ERROR),
        ],
    )
    def test_each_kind_of_end_has_its_number(self, error: BaseException, code: Exit) -> None:
        assert exits.of_error(error) is code

    def test_the_fields_that_are_wrong_are_named(self) -> None:
        error = errors.Invalid(
            "wrong", status=422, errors=[errors.FieldProblem("params.a", "must be a number")], request_id="r1"
        )
        assert exits.words(error) == "wrong\n  params.a: must be a number (request r1)"


class TestOutput:
    RUN = JobInfo(id="a", status="Failed", reason="ExitCode", params={"x": 1, "s": "1"}, metrics={"m": 2.0})

    def test_lines_stand_below_each_other(self) -> None:
        lines = output.aligned(output.cells([self.RUN, JobInfo(id="longer", status="Running")]))
        assert lines[0].startswith("ID       STATUS    REASON")
        assert lines[1].startswith("a        Failed    ExitCode")
        assert lines[2].startswith("longer   Running")

    def test_values_are_shown_as_they_would_be_typed(self) -> None:
        assert output.cells([self.RUN], wide=True)[1][6] == 'x=1 s="1"'
        assert '  s     "1"' in output.details(self.RUN)

    def test_json_leaves_out_what_says_nothing(self) -> None:
        assert json.loads(output.as_json(self.RUN))["metrics"] == {"m": 2.0}
        assert "exit_code" not in json.loads(output.as_json(self.RUN))

    def test_a_sweep_shows_how_far_it_is(self) -> None:
        sweep = SweepInfo(
            id="s",
            status="Running",
            points=PointCounts(total=10, by_status={"Succeeded": 3, "Failed": 1, "Running": 2}),
        )
        assert output.cells([sweep])[1][3:5] == ["4/10", "1"]
        assert any("10: 3 succeeded, 1 failed, 2 running" in line for line in output.details(sweep))

    def test_times_are_those_of_kubectl(self) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        assert times.age(now - timedelta(days=3, hours=4, minutes=5), now) == "3d4h"
        assert [times.span(s) for s in (0.25, 0, 61, 3600, None)] == ["0.25s", "0s", "1m1s", "1h", ""]
        assert [times.size(n) for n in (5, 2048, 3 << 30)] == ["5 B", "2.0 KiB", "3.0 GiB"]


class TestResuming:
    @given(st.lists(st.integers(0, 5), max_size=30).map(sorted), st.data())
    def test_each_line_is_given_once_wherever_the_log_is_read_again_from(
        self, stamps: list[int], data: st.DataObject
    ) -> None:
        lines = [(f"2026-{stamp}", f"{number}") for number, stamp in enumerate(stamps)]
        seen, given_ = Seen(), []
        while True:
            # The kubelet begins somewhere before the last line of which it was told, with all lines of that time.
            at = next((i for i, (stamp, _) in enumerate(lines) if stamp >= seen.last), len(lines)) if seen.last else 0
            begin = data.draw(st.integers(0, at))
            while 0 < begin < len(lines) and lines[begin - 1][0] == lines[begin][0]:
                begin -= 1
            breaks = data.draw(st.integers(begin, len(lines)))
            seen.begin_again()
            given_ += [line for stamp, line in lines[begin:breaks] if seen.is_new(stamp)]
            if breaks == len(lines):
                break
        assert given_ == [line for _, line in lines]


# What the kubelet would expand is written otherwise by the operator, and arrives as it is here.
plain_values = values.filter(lambda value: not isinstance(value, str) or not {"$", "\0"} & set(value))


@given(st.dictionaries(names, plain_values, max_size=5))
def test_a_local_run_has_the_arguments_that_it_has_in_the_cluster(typed: dict[str, Any]) -> None:
    stored = dict(sorted(typed.items()))  # as the API server does
    assert contract.arguments(["first"], typed) == arguments(
        SimulationJobSpec(image="sim", args=["first"], params=stored)
    )


def test_a_container_has_nothing_that_it_has_not_in_the_cluster() -> None:
    words = contract.Container("docker", "sim:1", "n", "/o", "/p.json").command(["run", "it"], ["--a", "1"])
    assert words[:2] == ["docker", "run"]
    assert words[-5:] == ["run", "sim:1", "it", "--a", "1"]
    assert {"--read-only", "--cap-drop", "none", "/o:/simops/outputs"} <= set(words)
