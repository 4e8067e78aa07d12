"""One object that cannot be read is passed over, and no other one with it."""

import pytest

from simops_operator.core.views import job_view, pod_view
from simops_operator.tolerant import view_or_none


def test_an_object_of_which_there_is_no_view_is_passed_over_and_named(caplog: pytest.LogCaptureFixture) -> None:
    bad = {"metadata": {"name": "odd", "namespace": "lab", "uid": "u", "creationTimestamp": "in the year 10000"}}
    assert view_or_none(pod_view, bad) is None
    assert "lab/odd is passed over" in caplog.text
    assert view_or_none(job_view, {"metadata": {"name": "j", "uid": "u"}}) == job_view(
        {"metadata": {"name": "j", "uid": "u"}}
    )
