"""Sessions: state, trajectory, artifacts, snapshots, forks; every earlier moment can be seen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_core.trace import Session
from descartes_core.trace.errors import (
    ArtifactInvalidName,
    ArtifactNotFound,
    ArtifactTooLarge,
    SessionCorrupted,
    ValidationFailed,
)
from descartes_core.trace.types import EntryType
from support.log import FakeClock
from support.trace_home import in_a_folder_of_its_own

__all__ = ["in_a_folder_of_its_own"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def without_half_characters(value: Any) -> Any:
    """Return VALUE as UTF-8 can hold it."""
    return json.loads(
        json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def test_what_is_got_is_a_copy_of_what_was_set() -> None:
    session, value = Session(), {"list": [1, {"deep": "é😀"}], "n": 2**70, "f": -0.5}
    session.set("k", value)
    value["list"][1]["deep"] = "changed outside"  # type: ignore[index]
    got = session.get("k")
    assert got == {"list": [1, {"deep": "é😀"}], "n": 2**70, "f": -0.5}
    got["list"].append("changed too")
    session.get_state()["k"]["n"] = 0
    assert session.get("k") == {"list": [1, {"deep": "é😀"}], "n": 2**70, "f": -0.5}
    assert (session.get("missing"), session.get("missing", 7), session.keys()) == (None, 7, ["k"])


@pytest.mark.parametrize(
    "value",
    [
        {1, 2}, b"bytes", object(), {1: "key"}, {"a": [float("nan")]}, float("inf"), [{"deep": b""}], 10**301,
    ],
)  # fmt: skip
def test_only_json_is_state(value: Any) -> None:
    session = Session()
    with pytest.raises(ValidationFailed, match="the value of 'k'"):
        session.set("k", value)
    assert (session.get_state_version(), len(session.get_trajectory())) == (0, 1)


def test_what_is_nested_too_deeply_is_refused() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValidationFailed, match="levels"):
        Session().set("k", value)


@pytest.mark.parametrize("key", ["", "  ", None, 3, "x" * 501])
def test_a_key_is_a_text_that_says_something(key: Any) -> None:
    with pytest.raises(ValidationFailed, match="key of the state"):
        Session().set(key, 1)


@pytest.mark.ledger("T-02")
def test_every_change_counts() -> None:
    session = Session()
    assert session.get_state_version() == 0
    for n in range(999):
        session.set("n", n)
    assert (session.delete("n"), session.delete("n")) == (True, False)
    assert session.get_state_version() == 1000
    assert session.get("n") is None
    assert session.get_state(501) == {"n": 499}


@pytest.mark.ledger("T-04")
def test_all_types_of_entries_and_no_other() -> None:
    session = Session()
    for kind in EntryType:
        session.append("me", kind, {"n": 1})
        session.append(
            "me", kind.value, {"key": "told", "new_value": 1, "state_version": 1, "name": "a", "size": 1}
        )
    assert len(EntryType) == 15
    assert [entry.entry_type for entry in session.get_trajectory()][1::2] == list(EntryType)
    with pytest.raises(ValidationFailed, match="session_created"):
        session.append("me", "exploded", {})
    with pytest.raises(ValidationFailed):
        session.append("", EntryType.USER_INPUT, {})
    with pytest.raises(ValidationFailed):
        session.append("me", EntryType.USER_INPUT, {"x": b""})
    with pytest.raises(ValidationFailed):
        session.append("me", EntryType.USER_INPUT, [])  # type: ignore[arg-type]
    # What is only told is not done, and does not come true by saving and loading either.
    assert (session.get_state(), session.list_artifacts()) == ({}, [])
    session.save("s.trace")
    loaded = Session.load("s.trace")
    assert (loaded.get_state(), loaded.get_state_version(), loaded.list_artifacts()) == ({}, 0, [])


@pytest.mark.ledger("T-05")
def test_the_last_entries_in_order() -> None:
    session = Session()
    for n in range(5):
        session.set("n", n)
    assert session.get_trajectory(0) == []
    assert [entry.seq_num for entry in session.get_trajectory(2)] == [5, 6]
    assert [entry.seq_num for entry in session.get_trajectory(99)] == [1, 2, 3, 4, 5, 6]
    session.get_trajectory()[1].content["new_value"] = "changed outside"
    assert session.get_trajectory()[1].content["new_value"] == 0
    for limit in (-1, 1.5, True):
        with pytest.raises(ValidationFailed):
            session.get_trajectory(limit)  # type: ignore[arg-type]


@pytest.mark.ledger("T-06")
def test_artifacts_have_versions_and_a_limit() -> None:
    session = Session()
    session.write_artifact("out/a.bin", b"one")
    first = session.get_trajectory(1)[0].seq_num
    session.write_artifact("out/a.bin", b"two, longer")
    session.write_artifact("b.txt", b"")
    session.delete_artifact("b.txt")
    assert (session.read_artifact("out/a.bin"), session.get_artifact_size("out/a.bin")) == (
        b"two, longer",
        11,
    )
    assert (session.read_artifact("out/a.bin", first), session.get_artifact_size("out/a.bin", first)) == (
        b"one",
        3,
    )
    assert (session.list_artifacts(), session.list_artifacts(4)) == (["out/a.bin"], ["b.txt", "out/a.bin"])
    with pytest.raises(ArtifactNotFound) as refused:
        session.read_artifact("b.txt")
    assert refused.value.as_json()["code"] == "artifact_not_found"
    default = 100 * 1024 * 1024
    assert session.max_artifact_size == default
    with pytest.raises(ArtifactTooLarge) as large:
        session.write_artifact("large", memoryview(bytes(default + 1)))  # type: ignore[arg-type]
    assert (large.value.code, large.value.data) == (
        "artifact_too_large",
        {"size": default + 1, "limit": default},
    )
    small = Session(max_artifact_size=3)
    small.write_artifact("a", b"123")
    with pytest.raises(ArtifactTooLarge, match="at most 3 bytes"):
        small.write_artifact("a", b"1234")
    assert small.read_artifact("a") == b"123"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "/etc/passwd", "a/../b", "a//b", "a\0b", "a\nb", None, "x" * 501]
)
def test_names_that_artifacts_cannot_have(name: Any) -> None:
    with pytest.raises(ArtifactInvalidName):
        Session().write_artifact(name, b"")


def test_bytes_that_were_changed_on_disk_are_noticed() -> None:
    session = Session()
    session.write_artifact("a", b"what it was")
    (blob,) = [path for path in (session.log_path.parent / "artifacts").rglob("*") if path.is_file()]
    blob.write_bytes(b"something else")
    with pytest.raises(SessionCorrupted):
        session.read_artifact("a")
    blob.unlink()
    with pytest.raises(ArtifactNotFound):
        session.read_artifact("a")


def test_equal_bytes_are_kept_once() -> None:
    session, other = Session(), Session()
    for each in (session, other):
        each.write_artifact("a", b"the same")
        each.write_artifact("b", b"the same")
    assert len([path for path in (session.log_path.parent / "artifacts").rglob("*") if path.is_file()]) == 1


@pytest.mark.ledger("T-07")
def test_a_snapshot_shares_nothing_with_the_session() -> None:
    session = Session(clock=FakeClock(1_705_314_600_000))
    session.set("k", {"a": [1]})
    session.write_artifact("x", b"1")
    snapshot = session.snapshot_for_agent("me", depth=1)
    assert snapshot == {
        "session_id": session.session_id,
        "state": {"k": {"a": [1]}},
        "state_version": 1,
        "trajectory": [session.get_trajectory(1)[0].to_dict()],
        "trajectory_total_length": 3,
        "artifacts": ["x"],
        "snapshot_time": "2024-01-15T10:30:00+00:00",
    }
    snapshot["state"]["k"]["a"].append(2)
    snapshot["trajectory"][0]["content"]["name"] = "y"
    snapshot["artifacts"].clear()
    assert session.snapshot_for_agent("me", 1)["state"] == {"k": {"a": [1]}}
    assert session.get_trajectory(1)[0].content["name"] == "x"
    for n in range(20):
        session.set("n", n)
    assert len(session.snapshot_for_agent("me")["trajectory"]) == 10


def test_a_fork_goes_on_from_any_entry_and_the_original_stays() -> None:
    session = Session()
    session.set("x", 1)
    session.write_artifact("a", b"old")
    session.set("x", 2)
    session.write_artifact("a", b"new")
    before = (session.state_hash(), session.get_trajectory())
    fork = session.fork(3)
    assert (fork.get_state(), fork.read_artifact("a"), fork.parent) == ({"x": 1}, b"old", session.session_id)
    assert fork.get_trajectory() == before[1][:3]
    fork.set("x", "else")
    grandchild = fork.fork()
    grandchild.set("y", 1)
    fork.set("x", "else again")
    assert (session.state_hash(), session.get_trajectory()) == before
    assert grandchild.get_state() == {"x": "else", "y": 1}
    assert [entry.seq_num for entry in grandchild.get_trajectory()] == [1, 2, 3, 4, 5]
    assert [entry.seq_num for entry in grandchild.get_trajectory(3)] == [3, 4, 5]
    resumed = Session.resume(grandchild.session_id)
    assert resumed.replay() == grandchild.state_hash() == resumed.state_hash()
    resumed.save("fork.trace")
    loaded = Session.load("fork.trace")
    assert (loaded.get_state(), loaded.read_artifact("a", 3)) == ({"x": "else", "y": 1}, b"old")
    for nowhere in (0, 99, -1, "3"):
        with pytest.raises(ValidationFailed):
            session.fork(nowhere)  # type: ignore[arg-type]


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from("abc"), VALUES),
        st.tuples(st.just("delete"), st.sampled_from("abc"), st.none()),
        st.tuples(st.just("write"), st.sampled_from("xy"), st.binary(max_size=5)),
        st.tuples(st.just("remove"), st.sampled_from("xy"), st.none()),
        st.tuples(st.just("fork"), st.just(""), st.integers(0, 8)),
    ),
    max_size=8,
)


FEW = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY = settings(FEW, max_examples=100)


@pytest.mark.ledger("T-17")
@FEW
@given(CHANGES)
def test_replaying_a_trajectory_gives_the_same_state(changes: list[tuple[str, str, Any]]) -> None:
    replay(changes)


@pytest.mark.slow
@pytest.mark.timeout(600)
@MANY
@given(CHANGES)
def test_replaying_many_trajectories_gives_the_same_state(changes: list[tuple[str, str, Any]]) -> None:
    replay(changes)


def replay(changes: list[tuple[str, str, Any]]) -> None:
    """Make CHANGES to a session and to a simple model of one; compare them at every moment."""
    session, state, artifacts = Session(), dict[str, Any](), dict[str, bytes]()
    past = [(state, artifacts)]
    for what, name, value in changes:
        state, artifacts = dict(state), dict(artifacts)
        match what:
            case "set":
                session.set(name, value)
                state[name] = without_half_characters(value)
            case "delete" if session.delete(name):
                del state[name]
            case "write":
                session.write_artifact(name, value)
                artifacts[name] = value
            case "remove" if session.delete_artifact(name):
                del artifacts[name]
            case "fork":
                at = 1 + value % len(past)
                session, (state, artifacts), past = session.fork(at), past[at - 1], past[:at]
                continue
            case _:
                continue
        past.append((state, artifacts))
    digest = session.state_hash()
    assert session.replay() == digest
    assert Session.resume(session.session_id).state_hash() == digest
    session.save("any.trace")
    loaded = Session.load("any.trace")
    assert loaded.state_hash() == loaded.replay() == digest
    for seq_num, (state, artifacts) in enumerate(past, 1):
        for each in (session, loaded):
            assert each.get_state(seq_num) == state
            assert {
                name: each.read_artifact(name, seq_num) for name in each.list_artifacts(seq_num)
            } == artifacts
