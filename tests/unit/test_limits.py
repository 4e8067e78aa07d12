"""How much time and which resources a simulation may ask for: the rule that operator and gateway share."""

from decimal import localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from simops_crds.limits import Maxima, parse_maxima, why_too_large, why_too_long
from simops_crds.quantities import number_of
from simops_crds.v1alpha1 import SimulationJobSpec
from simops_crds.v1alpha1.job import Resources

UNITS = ("", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E2", "e-2")
quantities = st.builds(
    lambda whole, part, unit: f"{whole}{part}{unit}",
    st.integers(0, 10**9),
    st.just("") | st.integers(0, 999).map(lambda part: f".{part}"),
    st.sampled_from(UNITS),
)
names = st.sampled_from(["cpu", "memory", "ephemeral-storage", "nvidia.com/gpu"])
fields = st.sampled_from(["requests", "limits"])


def why(given: dict[str, Any], maxima: str) -> tuple[str, str] | None:
    return why_too_large(Resources.model_validate(given), parse_maxima(maxima))


def theirs(text: str) -> Fraction:
    """Return what the client library reads; it rounds to the digits of its context."""
    with localcontext(prec=100):
        return Fraction(parse_quantity(text))  # type: ignore[no-untyped-call]


class TestQuantities:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("2", 2),
            (2, 2),
            ("500m", Fraction(1, 2)),
            ("0.5", Fraction(1, 2)),
            (".5", Fraction(1, 2)),
            ("1.", 1),
            ("+1", 1),
            ("-1", -1),
            ("4Gi", 4 * 2**30),
            ("4G", 4 * 10**9),
            ("1k", 1000),
            ("1Ki", 1024),
            ("1E", 10**18),
            ("1Ei", 2**60),
            ("1E3", 1000),
            ("1e-3", Fraction(1, 1000)),
            ("1e+06", 10**6),
            ("3n", Fraction(3, 10**9)),
        ],
    )
    def test_what_it_stands_for(self, text: int | str, number: Fraction) -> None:
        assert number_of(text) == number

    @pytest.mark.parametrize(
        "text",
        ["", ".", "Gi", "4GB", "4 Gi", " 4", "4\n", "1_000", "٣", "nan", "inf", "1e", "ki", "1mi", "0x1", "1e9999"],
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match="is no Kubernetes quantity"):
            number_of(text)

    @given(quantities)
    def test_it_is_what_the_client_library_makes_of_it(self, text: str) -> None:
        assert number_of(text) == theirs(text)


class TestResources:
    @given(quantities, quantities, names, fields)
    def test_one_is_refused_if_and_only_if_it_is_more_than_the_maximum(
        self, quantity: str, maximum: str, name: str, field: str
    ) -> None:
        found = why({field: {name: quantity}}, f"{name}={maximum}")
        is_more = theirs(quantity) > theirs(maximum)
        assert (found is not None) is is_more
        if found is not None:
            assert found == (
                field,
                f"{name}: {quantity} is more than {maximum}, the most that this installation allows: ask for less",
            )

    @given(st.dictionaries(names, quantities), st.dictionaries(names, quantities))
    def test_without_maxima_nothing_is_refused(self, requests: dict[str, str], limits: dict[str, str]) -> None:
        assert why({"requests": requests, "limits": limits}, "") is None

    @pytest.mark.parametrize("given", [{}, {"limits": {"cpu": "99"}}, {"requests": {"memory": "1Gi"}}, {"limits": {}}])
    def test_what_has_no_maximum_and_what_was_not_asked_for_is_not_refused(self, given: dict[str, Any]) -> None:
        assert why(given, "memory=1Gi,nvidia.com/gpu=0") is None
        assert why_too_large(None, (("memory", "1Gi"),)) is None

    def test_none_at_all_can_be_the_maximum(self) -> None:
        found = why({"limits": {"nvidia.com/gpu": 1}}, "nvidia.com/gpu=0")
        assert found is not None
        assert found[1].startswith("nvidia.com/gpu: 1 is more than 0,")
        assert why({"limits": {"nvidia.com/gpu": 0}}, "nvidia.com/gpu=0") is None

    def test_a_number_and_a_text_are_the_same(self) -> None:
        assert why({"limits": {"memory": 2**30}}, "memory=1Gi") is None
        assert why({"limits": {"memory": 2**30 + 1}}, "memory=1Gi") is not None

    def test_what_is_no_quantity_does_not_pass_for_little(self) -> None:
        found = why({"limits": {"memory": "1e99999999999"}}, "memory=1Gi")
        assert found == (
            "limits",
            "memory: '1e99999999999' is no Kubernetes quantity, such as 2, 500m or 4Gi",
        )


class TestMaxima:
    @pytest.mark.parametrize(
        ("text", "maxima"),
        [
            ("", ()),
            (" , ", ()),
            ("cpu=64", (("cpu", "64"),)),
            (
                "cpu=64, memory = 256Gi,nvidia.com/gpu=8,",
                (("cpu", "64"), ("memory", "256Gi"), ("nvidia.com/gpu", "8")),
            ),
            ("hugepages-2Mi=1Gi,ephemeral-storage=0", (("hugepages-2Mi", "1Gi"), ("ephemeral-storage", "0"))),
        ],
    )
    def test_they_are_read_from_one_line(self, text: str, maxima: Maxima) -> None:
        assert parse_maxima(text) == maxima
        assert parse_maxima(maxima) == maxima

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("cpu", "'' is no Kubernetes quantity"),
            ("cpu=", "'' is no Kubernetes quantity"),
            ("cpu=many", "'many' is no Kubernetes quantity"),
            ("gpu=1", "'gpu=1' must be a resource and its maximum"),
            ("=1", "must be a resource and its maximum"),
            ("cpu=1,cpu=2", "cpu is named twice"),
        ],
    )
    def test_a_mistake_is_told(self, text: str, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            parse_maxima(text)


class TestTime:
    @given(st.integers(1, 10**8), st.integers(1, 10**8))
    def test_it_is_refused_if_and_only_if_it_is_more_than_the_maximum(self, seconds: int, maximum: int) -> None:
        assert (why_too_long(seconds, maximum) is not None) is (seconds > maximum)

    def test_the_message_names_value_and_maximum_and_what_to_do(self) -> None:
        assert why_too_long(7201, 7200) == (
            "7201 seconds are more than 7200, the most that this installation allows: give a shorter timeout"
        )

    def test_where_the_default_is_too_long_the_message_says_so(self) -> None:
        default = SimulationJobSpec(image="sim").timeout_seconds
        assert (why_too_long(default, 60) or "").endswith(f"give a shorter timeout; what gives none has {default}")
