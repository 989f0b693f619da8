"""What must never stand in the log, taken out before anything is appended.

Masked are: secrets by their exact value (also escaped, in percent signs and in base64), keys known by their
looks (`sk-…`, `ghp_…`, `AKIA…`, private keys, JWT), texts under names such as `api_key`, e-mail addresses,
phone numbers and card numbers. What was masked reads `‹secret:NAME›`, `‹redacted›`, `‹email›`, `‹phone›` or
`‹card›`; masking twice changes nothing more.

Left as they are, because the program works by them: ids, also of who acts (whose name is masked), fencing
tokens, words of our own such as statuses, and paths. Text that has to be exact to be used again (the code of
the journal, the arguments of a call under way) is kept outside the log by whoever uses it; see
docs/history.md.
"""

from __future__ import annotations

import functools
import hashlib
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from descartes_core.errors import PolicyDenied
from descartes_core.model import NewEvent, Principal
from descartes_core.needles import Needles
from descartes_core.store import patterns
from descartes_core.store.patterns import REDACTED
from descartes_core.store.rows import json_text
from descartes_core.store.secret_values import forms_of
from descartes_core.store.sensitive_names import hides_numbers, is_sensitive, words

WORDS_OF_OURS = words(
    "id kind mode status state to from event phase role tool backend outcome severity type scope format"
    " change exit runner framework toolLevel messageId thoughtId callId order stream"
)
_OWN_WORD = re.compile(r"[a-z_-]{1,24}\Z|[a-z]{2,5}_[0-9a-f]{32}\Z")
PATHS = words("path paths uri file files folder cwd folders from_path to_path movedFrom movedTo")
MARK = re.compile(r"‹(?:secret:[^›\n]{1,200}|redacted|email|phone|card)›")
"""What stands in place of something masked."""

PREVIEW = 100
"""Characters of a preview."""
LONG = 8
"""Characters of a value that is masked inside a word, too."""
SHORT = 96
"""Characters of a text that is remembered with what it looks like when masked."""

_encode = msgspec.json.Encoder().encode


class Redactor:
    """Masks what must not be kept or shown; the vault tells it the values of secrets.

    Concurrency: safe from any thread; what is protected is replaced as a whole.
    """

    def __init__(self) -> None:
        self._values: Mapping[str, tuple[str, ...]] = {}
        self._names: Mapping[bytes, str] = {}
        """The name of the secret that a form shows."""
        self._forms = Needles(())
        self._in_json = Needles(())
        """The forms as they stand in the text of an event, which is JSON once more."""
        self._changing = threading.Lock()

    def protect(self, name: str, value: str) -> None:
        """Mask VALUE, in every form it can take, as `‹secret:NAME›`; what NAME had before stays masked."""
        self.protect_all([(name, value)])

    def protect_all(self, values: Iterable[tuple[str, str]]) -> None:
        """Mask each of VALUES, (name, value), from now on; takes time, when they are many."""
        with self._changing:
            after = dict(self._values)
            for name, value in values:
                if value not in after.get(name, ()):
                    after[name] = (*after.get(name, ()), value)
            if after != self._values:
                self._put(after)

    def release(self, name: str) -> None:
        """Stop looking for the values of NAME; what was masked stays so."""
        with self._changing:
            self._put({each: values for each, values in self._values.items() if each != name})

    def text(self, text: str) -> str:
        """Return TEXT with everything masked that must not be kept."""
        if len(text) < 4:
            return text
        text = self._hidden(text)
        return patterns.mask_short(text) if len(text) <= SHORT else patterns.mask(text)

    def keys(self, text: str) -> str:
        """Return TEXT with secrets masked, by value and by looks, and nothing else: for text used again."""
        return patterns.mask_keys(self._hidden(text))

    def values_in(self, value: Any) -> Any:
        """Return VALUE, as JSON has it, with the values of secrets masked and nothing else."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self._hidden(value)
        if isinstance(value, Mapping):
            return {self.values_in(key): self.values_in(each) for key, each in value.items()}
        return [self.values_in(each) for each in value] if isinstance(value, list | tuple) else value

    def values_in_bytes(self, data: bytes) -> bytes:
        """Return DATA, text or not, with the values of secrets masked where they stand in UTF-8."""
        if not self._forms.within(data):
            return data
        # What is no text goes through unchanged.
        return self._hidden(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def data(self, value: Any) -> Any:
        """Return VALUE, as JSON has it, with everything masked; VALUE itself is not changed."""
        return self._any(value)

    def preview(self, value: Any, length: int = PREVIEW) -> str:
        """Return VALUE as JSON, masked and then cut to LENGTH characters."""
        text = json_text(self.data(value)).decode()
        return text if len(text) <= length else f"{text[: length - 1]}…"

    def event(self, event: NewEvent) -> NewEvent:
        """Return EVENT as it may be appended.

        Errors: `PolicyDenied` when its stream, by which the program finds it, shows a secret.
        """
        self._check_stream(event.stream)
        shown = _encode_or_none((event.data, event.metadata, event.tags, event.actor))
        if shown is not None and not self._suspicious(shown):
            return event
        return msgspec.structs.replace(
            event,
            data=self._event_data(event),
            metadata=self._any(event.metadata),
            tags=[self.text(tag) for tag in event.tags],
            actor=self.principal(event.actor),
        )

    def principal(self, who: Principal) -> Principal:
        """Return WHO as the log has it: by the same id, with everything masked in its name and door."""
        return msgspec.structs.replace(who, name=self.text(who.name), via=who.via and self.text(who.via))

    def identity(self, text: str) -> str:
        """Return TEXT as the id of somebody that may be kept: the same for the same, another for another.

        Example: identity("ann@example.org") -> "‹email›~438c4c7a"
        """
        # Nothing is told of the value of a secret, not even a digest.
        known = self._hidden(text)
        masked = self.text(known)
        return known if masked == known else f"{masked}~{hashlib.sha256(known.encode()).hexdigest()[:8]}"

    def _event_data(self, event: NewEvent) -> dict[str, Any]:
        data: dict[str, Any] = self._any(event.data)
        if event.name.startswith("lease."):
            # The arbiter finds leases by these; that they show no secret was checked with the stream.
            data |= {key: event.data[key] for key in ("path", "uri", "from") if key in event.data}
        return data

    def _suspicious(self, shown: str) -> bool:
        return bool(self._in_json.within(_bytes(shown))) or patterns.suspicious(shown)

    def _put(self, values: Mapping[str, tuple[str, ...]]) -> None:
        names = {form: name for name, each in values.items() for value in each for form in forms_of(value)}
        # The longest first: a value may contain another.
        forms = sorted(names, key=lambda form: (-len(form), form))
        self._values = values
        # Whoever masks meanwhile, in another thread, finds a name for every form.
        self._names = {**self._names, **{_bytes(form): name for form, name in names.items()}}
        self._in_json = Needles(_encode(form.encode("utf-8", "replace").decode())[1:-1] for form in forms)
        self._forms = Needles(map(_bytes, forms))

    def _hidden(self, text: str) -> str:
        if not self._forms or not (shown := self._forms.within(_bytes(text))):
            return text
        names = {form.decode("utf-8", "surrogatepass"): self._names[form] for form in shown}
        return _any_of(tuple(names)).sub(
            lambda found: f"‹secret:{names[found[0]]}›" if found[0] in names else found[0], text
        )

    def _any(self, value: Any, name: str = "") -> Any:
        if isinstance(value, str):
            return self._string(value, name)
        if isinstance(value, Mapping):
            if _is_principal(value):
                # Who holds a lease is found by the id.
                return {**value, **{key: self._any(value[key]) for key in ("name", "via") if key in value}}
            return {self._key(key): self._any(each, key) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return self._list(value, name)
        if isinstance(value, bool | None) or not isinstance(value, int | float):
            return self._any(msgspec.to_builtins(value), name) if isinstance(value, msgspec.Struct) else value
        return REDACTED if hides_numbers(name) else value

    def _string(self, value: str, name: str) -> str:
        if name in WORDS_OF_OURS and _OWN_WORD.match(value):
            return value
        if name in PATHS:
            return self._hidden(value)
        if name and is_sensitive(name) and not patterns.is_placeholder(value):
            hidden = self._hidden(value)
            return hidden if MARK.search(hidden) else REDACTED
        return self.text(value)

    def _list(self, values: list[Any] | tuple[Any, ...], name: str) -> list[Any]:
        found: list[Any] = []
        option = ""
        for value in values:
            # A command in words: `--password`, then the password.
            found.append(self._any(value, option or name))
            option = value if isinstance(value, str) and value.startswith("--") and "=" not in value else ""
        return found

    def _key(self, key: Any) -> Any:
        return self.text(key) if isinstance(key, str) and len(key) > 8 else key

    def _check_stream(self, stream: str) -> None:
        for form in self._forms.within(_bytes(stream)):
            if len(form.decode("utf-8", "surrogatepass")) >= LONG:
                raise PolicyDenied(
                    f"What this is about has the value of the secret {self._names[form]!r} in its name;"
                    " rename it first"
                )


def has_mark(text: str) -> bool:
    """Return whether TEXT has a mark that stands for something masked."""
    return "‹" in text and MARK.search(text) is not None


@functools.lru_cache(maxsize=256)
def _any_of(forms: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds a mark, which stays as it is, or one of FORMS; a short one where it stands alone."""
    alone = r"(?<![A-Za-z0-9]){}(?![A-Za-z0-9])"
    found = [re.escape(form) if len(form) >= LONG else alone.format(re.escape(form)) for form in forms]
    return re.compile("|".join([MARK.pattern, *found]))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_principal(value: Mapping[Any, Any]) -> bool:
    return value.get("kind") in ("human", "agent", "service") and "id" in value and value.keys() <= _PRINCIPAL


_PRINCIPAL = {"kind", "id", "name", "via"}


def _encode_or_none(value: Any) -> str | None:
    try:
        return _encode(value).decode()
    except (UnicodeError, TypeError):
        return None
