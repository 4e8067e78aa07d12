"""The caches: whichever way news arrives, the newest stays, and what is finished is forgotten."""

from dataclasses import replace

import pytest
from builders import UID, job, pod, run, running_pod, succeeded_pod
from hypothesis import given
from hypothesis import strategies as st

from simops_operator import cache as cache_module
from simops_operator.cache import Cache


class TestNews:
    @given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    def test_the_newest_version_stays_in_whatever_order_they_come(self, versions: list[int]) -> None:
        cache = Cache()
        for version in versions:
            cache.put_run(run(version=version))
            cache.put_job(UID, job(version=version))
            cache.put_pod(UID, pod(version=version))
        assert cache.runs[UID].version == cache.jobs[UID].version == max(versions)
        assert [p.version for p in cache.pods_of(UID)] == [max(versions)]

    def test_a_job_made_again_replaces_its_predecessor_whatever_its_version(self) -> None:
        cache = Cache()
        cache.put_job(UID, job(version=9, uid="old"))
        cache.put_job(UID, job(version=3, uid="new"))
        assert cache.jobs[UID].uid == "new"

    def test_the_end_of_a_predecessor_does_not_take_the_new_one_away(self) -> None:
        cache = Cache()
        cache.put_job(UID, job(uid="new"))
        cache.drop_job(UID, "old")
        assert UID in cache.jobs
        cache.drop_job(UID, "new")
        cache.drop_job(UID, "new")
        assert UID not in cache.jobs

    def test_objects_of_one_run_never_show_in_another(self) -> None:
        cache = Cache()
        cache.put_pod("other", pod())
        assert cache.pods_of(UID) == ()


class TestPodsThatAreGone:
    def test_stay_known_as_they_were_last_seen(self) -> None:
        cache = Cache()
        cache.put_pod(UID, running_pod(version=5))
        cache.put_pod(UID, succeeded_pod(version=6, gone=True))
        (last,) = cache.pods_of(UID)
        assert last.gone
        assert last.phase == "Succeeded"

    def test_do_not_come_back_by_a_late_event(self) -> None:
        cache = Cache()
        cache.put_pod(UID, running_pod(version=5, gone=True))
        cache.put_pod(UID, running_pod(version=7))
        assert [p.gone for p in cache.pods_of(UID)] == [True]

    def test_a_list_tells_which_ones(self) -> None:
        cache = Cache()
        cache.put_pod(UID, running_pod("p1"))
        known = [p.name for p in cache.pods_of(UID)]
        cache.put_pod(UID, running_pod("p3"))  # made while the LIST was under way
        cache.replace_pods(UID, [running_pod("p2")], known)
        assert {p.name: p.gone for p in cache.pods_of(UID)} == {"p1": True, "p2": False, "p3": False}

    def test_a_list_that_is_older_than_an_event_changes_nothing(self) -> None:
        cache = Cache()
        cache.put_pod(UID, succeeded_pod(version=9))
        cache.replace_pods(UID, [running_pod(version=3)], ["p1"])
        assert [p.phase for p in cache.pods_of(UID)] == ["Succeeded"]

    def test_a_list_of_nothing_keeps_no_memory(self) -> None:
        cache = Cache()
        cache.replace_pods(UID, [], [])
        assert not cache.pods


class TestRunsThatAreFinished:
    def test_leave_nothing_but_that_they_are(self) -> None:
        cache = Cache()
        cache.put_run(run())
        cache.put_job(UID, job())
        cache.put_pod(UID, pod())
        cache.doubtful.add(UID)
        cache.finish(UID)
        assert cache.is_finished(UID)
        assert not any((cache.runs, cache.jobs, cache.pods, cache.doubtful, cache.deleted))

    def test_memory_of_them_has_a_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cache_module, "_REMEMBERED", 3)
        cache = Cache()
        for number in range(5):
            cache.finish(f"u{number}")
        assert [cache.is_finished(f"u{n}") for n in range(5)] == [False, False, True, True, True]


class TestRunsThatAreDeleted:
    def test_are_kept_apart_until_their_pods_have_ended(self) -> None:
        cache = Cache()
        cache.put_run(run())
        cache.doubtful.add(UID)
        cache.mark_deleted(UID)
        assert UID not in cache.runs
        assert UID in cache.deleted
        assert UID not in cache.doubtful
        cache.finish(UID)
        assert not cache.deleted

    def test_one_that_was_never_seen_leaves_nothing(self) -> None:
        cache = Cache()
        cache.mark_deleted(UID)
        assert not cache.deleted

    def test_versions_do_not_mix_up_two_of_the_same_name(self) -> None:
        cache = Cache()
        cache.put_run(run(version=9))
        cache.put_run(replace(run(version=3), uid="another"))
        assert set(cache.runs) == {UID, "another"}
