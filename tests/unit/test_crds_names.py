"""The keys under which the store keeps history."""

from hypothesis import given
from hypothesis import strategies as st

from simops_crds.names import archive_key, archive_prefix, created_of

SECONDS = st.integers(0, 9_999_999_999)


@given(earlier=SECONDS, later=SECONDS)
def test_the_archive_lists_the_latest_first(earlier: int, later: int) -> None:
    if earlier != later:
        earlier, later = sorted((earlier, later))
        assert archive_key("lab", later, "a", "u") < archive_key("lab", earlier, "a", "u")


@given(created=SECONDS)
def test_a_key_of_the_archive_says_when(created: int) -> None:
    key = archive_key("lab", created, "heat", "u1")
    assert key == f"{archive_prefix('lab', created)}/heat/u1"
    prefix, namespace, second, name, uid = key.split("/")
    assert (prefix, namespace, created_of(second), name, uid) == ("archive", "lab", created, "heat", "u1")
    assert len(second) == 10
