"""The vault: values and their versions, and who may do what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from descartes_core.errors import (
    DescartesError,
    InvalidParams,
    InvalidTransition,
    NotFound,
    PolicyDenied,
)
from descartes_core.model import Principal
from descartes_core.vault import boxes
from descartes_core.vault.boxes import Master, Opener
from descartes_core.vault.shapes import LEVELS, AccessLevel, SecretType, SecretValue, Who
from descartes_core.vault.vault import Vault
from support.vaults import ANN, PASSWORD, VALUE, Steady, everything, rows

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.ledger("D-64")
def test_a_value_comes_back_and_a_list_never_decrypts(
    vault: Vault, master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.set(master, "API_KEY", VALUE, ANN, "api_key")
    vault.set(master, "db", "p\"a's\\s\nword", ANN, "database_password")
    assert vault.get(master, "API_KEY", ANN) == SecretValue(
        name="API_KEY", type="api_key", version=1, value=VALUE
    )
    assert vault.get(master, "db", ANN).value == "p\"a's\\s\nword"
    monkeypatch.setattr(boxes, "open_version", lambda *_: pytest.fail("a list decrypts"))
    monkeypatch.setattr(boxes, "open_master", lambda *_: pytest.fail("a list unlocks"))
    assert [(each.name, each.type, each.version) for each in vault.list(ANN)] == [
        ("API_KEY", "api_key", 1),
        ("db", "database_password", 1),
    ]
    assert VALUE not in repr(vault.list(ANN))


@pytest.mark.parametrize("kind", ["api_key", "oauth_token", "database_password", "private_key", "custom"])
def test_every_type(vault: Vault, master: Master, kind: str) -> None:
    assert vault.set(master, "one", VALUE, ANN, kind).type == kind  # type: ignore[arg-type]
    with pytest.raises(InvalidParams, match="is of type"):
        vault.set(master, "one", VALUE, ANN, "custom" if kind != "custom" else "api_key")


@pytest.mark.ledger("D-65")
def test_versions(vault: Vault, master: Master) -> None:
    for value in ("first-value", "second-value", "third-value"):
        vault.set(master, "one", value, ANN)
    assert [vault.get(master, "one", ANN, number).value for number in (1, 2, 3)] == [
        "first-value",
        "second-value",
        "third-value",
    ]
    assert vault.get(master, "one", ANN).version == 3
    vault.revoke(master, "one", 2, ANN)
    with pytest.raises(InvalidTransition, match="revoked"):
        vault.get(master, "one", ANN, 2)
    assert rows(vault, "SELECT salt, key_box, value_box FROM version WHERE number = 2") == [(None,) * 3]
    with pytest.raises(InvalidParams, match="newest"):
        vault.revoke(master, "one", 3, ANN)
    for missing in (2, 4, 0):
        with pytest.raises(NotFound):
            vault.revoke(master, "one", missing, ANN)
    with pytest.raises(NotFound):
        vault.get(master, "one", ANN, 9)
    with pytest.raises(NotFound):
        vault.set(master, "unknown", VALUE, ANN, exists=True)
    assert [each.revoked_at is not None for each in vault.show(master, "one", ANN).versions] == [
        False,
        True,
        False,
    ]


NEEDS = {
    "view_metadata": lambda vault, master, who: vault.show(master, "one", who),
    "read": lambda vault, master, who: vault.get(master, "one", who),
    "update": lambda vault, master, who: vault.set(master, "one", "another-value", who),
    "delete": lambda vault, master, who: vault.remove(master, "one", who),
    "admin": lambda vault, master, who: vault.grant(master, "one", "agent:other", "read", who),
}


@pytest.mark.ledger("D-66")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("action", NEEDS)
def test_what_each_level_may(vault: Vault, master: Master, level: AccessLevel, action: str) -> None:
    vault.set(master, "one", VALUE, ANN)
    agent = Who(Principal(kind="agent", id="run_1", name="deploy"))
    vault.grant(master, "one", "agent:deploy", level, ANN)
    allowed = LEVELS.index(level) >= LEVELS.index(action)  # type: ignore[arg-type]
    if allowed:
        NEEDS[action](vault, master, agent)
    else:
        with pytest.raises(PolicyDenied) as denied:
            NEEDS[action](vault, master, agent)
        assert denied.value.data == {"secret": "one", "needs": action, "has": level}
    listed = [each.name for each in vault.list(agent)]
    removed = action == "delete" and allowed
    assert listed == ([] if level == "none" or removed else ["one"])


@pytest.mark.ledger("D-66")
def test_grants_are_for_a_principal_and_end(vault: Vault, master: Master, clock: Steady) -> None:
    vault.set(master, "one", VALUE, ANN)
    people = {
        "user:bob": Who(Principal(kind="human", id="bob", name="Bobby")),
        "role:trusted": Who(Principal(kind="agent", id="run_1", name="any"), roles=["agent", "trusted"]),
        "service:ci": Who(Principal(kind="service", id="ci", name="ci")),
        "agent:deploy": Who(Principal(kind="agent", id="run_2", name="deploy")),
    }
    for principal, who in people.items():
        vault.grant(master, "one", principal, "read", ANN, expires_ms=clock.ms + 1000)
        readers = [name for name, other in people.items() if vault.may_read(master, "one", other)]
        assert readers == [principal]
        assert vault.get(master, "one", who).value == VALUE
        clock.ms += 1000
        with pytest.raises(PolicyDenied):
            vault.get(master, "one", who)
        assert vault.show(master, "one", ANN).grants == []
    with pytest.raises(InvalidParams, match="KIND:NAME"):
        vault.grant(master, "one", "deploy", "read", ANN)
    outsider = people["agent:deploy"]
    for name in ("one", "unknown"):
        with pytest.raises(PolicyDenied):
            vault.get(master, name, outsider)
    with pytest.raises(PolicyDenied):
        vault.set(master, "made-by-an-agent", VALUE, outsider)


@pytest.mark.parametrize("name", ["", "1x", "a b", "a=b", "é", "a\n", "x" * 129, "../x"])
def test_names_that_will_not_do(vault: Vault, master: Master, name: str) -> None:
    with pytest.raises(InvalidParams, match="expected a name"):
        vault.set(master, name, VALUE, ANN)


@pytest.mark.parametrize("value", ["", "abc", "x" * 65_537, "nul\0byte", "half \ud800"])
def test_values_that_will_not_do_are_not_quoted(vault: Vault, master: Master, value: str) -> None:
    with pytest.raises(DescartesError, match="expected a value") as problem:
        vault.set(master, "one", value, ANN)
    assert len(str(problem.value)) < 120


def exported(name: str, kind: SecretType = "custom") -> SecretValue:
    return SecretValue(name=name, type=kind, version=7, value=f"the value of {name}")


@pytest.mark.ledger("D-68")
def test_all_of_an_export_is_taken_in_or_nothing(vault: Vault, master: Master) -> None:
    vault.set(master, "two", VALUE, ANN)
    with pytest.raises(InvalidParams, match="'two' is of type custom, not api_key"):
        vault.take_in(master, [exported("one"), exported("two", "api_key"), exported("three")], ANN)
    with pytest.raises(InvalidParams, match="expected a name"):
        vault.take_in(master, [exported("one"), exported("no name")], ANN)
    assert [each.name for each in vault.list(ANN)] == ["two"]
    assert vault.get(master, "two", ANN).version == 1

    whole = [exported("one", "api_key"), exported("two"), exported("three")]
    assert [each.name for each in vault.take_in(master, whole, ANN)] == ["one", "two", "three"]
    assert [each.version for each in vault.list(ANN)] == [1, 1, 2]
    assert vault.take_in(master, whole, ANN) == [], "what is as it was stays so"
    assert [each.version for each in vault.list(ANN)] == [1, 1, 2]


DIES = """
import os, sys
from pathlib import Path
from descartes_core.vault import boxes
from support.vaults import ANN, PASSWORD, QUICK
from descartes_core.vault.shapes import SecretValue
from descartes_core.vault.vault import Vault

vault = Vault(Path(sys.argv[1]), kdf=QUICK)
master = vault.unlock(boxes.Opener(PASSWORD))
real = boxes.put_version
def die(*arguments):
    real(*arguments)
    if arguments[2].name == "two":
        os._exit(9)
boxes.put_version = die
names = ("one", "two", "three")
values = [SecretValue(name=name, type="custom", version=1, value="a value") for name in names]
vault.take_in(master, values, ANN)
"""


def test_a_crash_in_the_middle_of_an_export_leaves_nothing_of_it(vault: Vault, master: Master) -> None:
    died = subprocess.run(
        [sys.executable, "-c", DIES, str(vault.path)],
        check=False, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(TESTS)},
    )  # fmt: skip
    assert died.returncode == 9, died.stderr
    assert everything(vault, vault.unlock(Opener(PASSWORD))) == []
