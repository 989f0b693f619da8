"""Old settings files: recognised, read, migrated with their comments, backed up; newer ones are refused."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from descartes_core.config import files, loading, versions
from descartes_core.config.table import settings
from descartes_core.errors import InvalidParams, Unsupported

OLD = {
    "1.0.0": """\
# The team's settings.
version = "1.0.0"

[provider.openai] # paid by the team
openai_api_key = "sk-1"
base_url = "http://localhost:1"

# more memory
[lisp]
idle_minutes = 5 # short
""",
    "1.1.0": """\
version = "1.1"
[provider.openai]
key = "sk-1"
base_url = "http://localhost:1"
[provider.grok]
enabled = true
model = "grok-2"
[lisp]
idle_minutes = 5
""",
    "1.2.0": """\
version = "1.2.0"
lisp.idle_minutes = 5
[provider]
openai = { api_key = "sk-1", base_url = "http://localhost:1" }
""",
    "2.0.0": """\
version = "2.0.0"
[providers.openai]
apiKey = "sk-1"
baseUrl = "http://localhost:1"
[lisp]
idleMinutes = 5
""",
}


@pytest.mark.ledger("D-88")
@pytest.mark.parametrize("version", OLD)
def test_each_version_is_migrated_to_the_same_settings(version: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(OLD[version])
    assert versions.shown(versions.version_of(OLD[version])) == version
    assert versions.needs_migration(OLD[version]) is (version != "2.0.0")
    text = versions.migrate(OLD[version]).text
    values = tomllib.loads(text)
    assert values["version"] == "2.0.0"
    assert values["providers"]["openai"] == {"apiKey": "sk-1", "baseUrl": "http://localhost:1"}
    assert values["lisp"] == {"idleMinutes": 5}
    assert versions.migrate(text).text == text
    assert loading.problems_in(file, text, may_name_programs=True) == []
    copy = files.backup(file)
    assert (copy.parent, copy.read_text()) == (tmp_path, OLD[version])
    assert files.backup(file) == copy


def test_every_step_of_the_chain_is_taken_once_and_told() -> None:
    steps = versions.migrate(OLD["1.0.0"]).steps
    assert [step.partition(":")[0] for step in steps] == ["1.0.0 → 1.1.0", "1.1.0 → 1.2.0", "1.2.0 → 2.0.0"]
    assert len(versions.migrate(OLD["1.2.0"]).steps) == 1


def test_comments_and_order_stay() -> None:
    assert (
        versions.migrate(OLD["1.0.0"]).text
        == """\
# The team's settings.
version = "2.0.0"

[providers.openai] # paid by the team
apiKey = "sk-1"
baseUrl = "http://localhost:1"

[providers.grok]
enabled = false

# more memory
[lisp]
idleMinutes = 5 # short
"""
    )


def test_a_file_without_a_version_is_the_first_when_it_has_providers_of_old() -> None:
    assert not versions.needs_migration("[leases]\nttlSeconds = 5\n")
    text = "#:schema x.json\n# mine\n[provider.a]\ntoken = 't'"
    assert versions.migrate(text).text == (
        "#:schema x.json\nversion = \"2.0.0\"\n# mine\n[providers.a]\napiKey = 't'\n"
        "\n[providers.grok]\nenabled = false\n"
    )


def test_a_newer_version_is_refused_and_nothing_of_it_counts(tmp_path: Path) -> None:
    for version in ("2.0.1", "2.1", "3.0.0"):
        text = "[hub]\nidleMinutes = 1\n[x]\n"
        text = f'version = "{version}"\n{text}'
        with pytest.raises(Unsupported, match=r"newer than 2\.0\.0"):
            versions.migrate(text)
        source = loading.from_file(tmp_path / "x", may_name_programs=True, text=text)
        loaded = loading.load([source])
        assert loaded.settings.hub.idle_minutes == 30
        assert [(each.line, each.severity) for each in loaded.problems] == [(1, "error")]
    for text in ('version = "new"', "version = 0.9", "version = true", 'version = "1.7.0"'):
        with pytest.raises((InvalidParams, Unsupported)):
            versions.version_of(text)


def test_what_cannot_be_migrated_without_loss_is_refused() -> None:
    with pytest.raises(InvalidParams):
        versions.migrate("[provider.a]\nkey = '1'\ntoken = '2'\n")
    with pytest.raises(InvalidParams, match="expected TOML"):
        versions.migrate("[provider.a\n")


def test_an_old_file_counts_and_its_problems_stand_where_it_has_them(tmp_path: Path) -> None:
    text = "[provider.a]\nkey = '1'\n# c\n[hub]\nidle_minutes = 7\nnonsense = 1\n"
    loaded = loading.load([loading.from_file(tmp_path / "x", may_name_programs=True, text=text)])
    assert loaded.settings.hub.idle_minutes == 7
    assert loaded.settings.providers["a"].api_key == "1"
    found = [(each.code, each.line, each.column) for each in loaded.problems]
    assert found == [("setting.version", 1, 1), ("setting", 6, 1)]


def test_a_backup_keeps_the_mode_of_what_may_hold_a_key(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(OLD["1.0.0"])
    file.chmod(0o600)
    assert stat.S_IMODE(files.backup(file).stat().st_mode) == 0o600


def test_a_value_is_set_with_everything_else_as_it_was() -> None:
    text = "# a\n[hub] # b\nidleMinutes = 1 # c\n\n# d\n[leases]\nttl_seconds = 9\n"
    rows = settings()
    made = files.with_value(text, rows["hub.idleMinutes"], 2)
    assert made == text.replace("= 1", "= 2")
    assert files.with_value(text, rows["leases.ttlSeconds"], 8) == text.replace("9", "8")
    assert tomllib.loads(files.with_value(text, rows["lisp.init"], False))["lisp"] == {"init": False}
    assert "idleMinutes" not in files.with_value(text, rows["hub.idleMinutes"], None)
    assert files.with_value("", rows["hub.idleMinutes"], 2) == "[hub]\nidleMinutes = 2\n"
    paths = [{"local": "a", "remote": "b"}]
    assert tomllib.loads(files.with_value("lisp.init = true", rows["lisp.paths"], paths))["lisp"] == {
        "init": True,
        "paths": paths,
    }
