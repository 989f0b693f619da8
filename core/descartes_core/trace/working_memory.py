"""`WorkingMemory`: a value that is worked on as a draft, part of a session only once committed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from descartes_core.trace.errors import SessionInvalidState
from descartes_core.trace.session import Session
from descartes_core.trace.values import check_name, copy_json


class WorkingMemory:
    """The value under KEY of the state of SESSION, and a draft of it; INITIAL when there is no value yet.

    A commit is one entry of the trajectory, a rollback none: what was never committed never happened.
    Concurrency: safe from any thread. Of two memories over one key the second to commit is told.
    Example:
        plan = WorkingMemory(session, "plan", {"steps": []})
        plan.update(lambda draft: draft["steps"].append("read"))
        plan.commit()
    """

    def __init__(self, session: Session, key: str, initial: Any = None) -> None:
        self._session = session
        self._key = check_name(key, "a key of the state")
        self._initial = copy_json(initial, "the initial value")
        self._lock = threading.RLock()
        self._committed = self._draft = self._stored()

    def read(self) -> Any:
        """Return a copy of the draft: the committed value with every update since."""
        with self._lock:
            return copy_json(self._draft)

    def update(self, change: Any | Callable[[Any], Any]) -> Any:
        """Make CHANGE, a value or a function of a copy of the draft, the new draft; return a copy of it.

        What the function returns is the new value; when that is None, the copy as the function left it. When
        it raises, or the value is no JSON, the draft is as it was.
        Errors: `ValidationFailed`.
        """
        with self._lock:
            new = change
            if callable(change):
                copy = self.read()
                returned = change(copy)
                new = copy if returned is None else returned
            self._draft = copy_json(new, f"the value of {self._key!r}")
            return self.read()

    @property
    def changed(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._draft != self._committed)

    def commit(self) -> int:
        """Make the draft the value in the session, if it changed; return the version of the state.

        Errors: `SessionInvalidState` when the value was changed by others meanwhile; roll back to see it.
        """
        with self._lock:
            if not self.changed:
                return self._session.get_state_version()
            if self._stored() != self._committed:
                raise SessionInvalidState(
                    f"The value of {self._key!r} was changed since it was read; roll back and repeat"
                )
            version = self._session.set(self._key, self._draft)
            self._committed = self._draft = self._stored()
            return version

    def rollback(self) -> Any:
        """Forget every update since the last commit and return a copy of what the session has."""
        with self._lock:
            self._committed = self._draft = self._stored()
            return self.read()

    def _stored(self) -> Any:
        return self._session.get(self._key, self._initial)
