"""States in Redis: fast, shared by several machines, and as durable as that server is set up to be.

For each thread one list `<namespace>:thread:<id>`, whose places are the versions. Needs the extra `redis`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError

from descartes_core.checkpoints.port import Checkpoint, Checkpointer, check_thread
from descartes_core.checkpoints.snapshot import AgentStateSnapshot
from descartes_core.errors import InvalidParams, StoreUnavailable
from descartes_core.ports import Clock, SystemClock
from descartes_core.store.times import iso

NAMESPACE = "descartes"


class RedisCheckpointer(Checkpointer):
    """The server that CLIENT speaks to; threads end TTL_SECONDS after their last save, never when None.

    `redis://host:6379/0`, `rediss://…`, `redis+unix:///path/of/socket`; `?namespace=…&ttl=SECONDS`
    """

    def __init__(
        self,
        client: Redis,
        *,
        namespace: str = NAMESPACE,
        ttl_seconds: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._prefix = f"{namespace}:thread:"
        self._ttl_seconds = ttl_seconds
        self._clock = clock or SystemClock()

    @classmethod
    async def open(cls, url: str) -> RedisCheckpointer:
        """Return the checkpointer on the server of URL."""
        parts = urlsplit(url)
        options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        namespace, ttl = options.pop("namespace", NAMESPACE), options.pop("ttl", None)
        if ttl is not None and (not ttl.isdecimal() or int(ttl) < 1):
            raise InvalidParams(f"Expected seconds, 1 or more, as the ttl of {url!r}; correct the URL")
        scheme = "unix" if parts.scheme == "redis+unix" else parts.scheme
        plain = urlunsplit((scheme, parts.netloc, parts.path, urlencode(options), ""))
        client = Redis.from_url(plain)
        checkpointer = cls(client, namespace=namespace, ttl_seconds=None if ttl is None else int(ttl))
        async with checkpointer._reached():
            await _answer(client.ping())
        return checkpointer

    async def save_state(self, thread_id: str, state: AgentStateSnapshot) -> int:
        """Keep STATE as the newest of THREAD_ID and return its version."""
        key = self._key(thread_id)
        saved = {"ms": self._clock.now_ms(), "digest": state.digest, "state": state.to_json()}
        async with self._reached(), self._client.pipeline(transaction=True) as pipeline:
            pipeline.rpush(key, json.dumps(saved))
            if self._ttl_seconds is not None:
                pipeline.expire(key, self._ttl_seconds)
            return int((await pipeline.execute())[0])

    async def load_state(self, thread_id: str, version: int | None = None) -> AgentStateSnapshot | None:
        """Return the newest state of THREAD_ID, or that of VERSION."""
        key = self._key(thread_id)
        if version is not None and version < 1:
            return None
        place = -1 if version is None else version - 1
        async with self._reached():
            found = await _answer(self._client.lindex(key, place))
        return None if found is None else AgentStateSnapshot.from_json(json.loads(found)["state"])

    async def delete_thread(self, thread_id: str) -> bool:
        """Forget THREAD_ID and return whether there was one."""
        key = self._key(thread_id)
        async with self._reached():
            return bool(await _answer(self._client.delete(key)))

    async def list_threads(self) -> Sequence[str]:
        """Return the ids of all threads, sorted."""
        found: set[str] = set()
        async with self._reached():
            async for key in self._client.scan_iter(match=f"{_escaped(self._prefix)}*", count=1000):
                found.add(key.decode().removeprefix(self._prefix))
        return sorted(found)

    async def history(self, thread_id: str) -> Sequence[Checkpoint]:
        """Return what was saved of THREAD_ID, newest first."""
        key = self._key(thread_id)
        async with self._reached():
            saved = [json.loads(each) for each in await _answer(self._client.lrange(key, 0, -1))]
        return [
            Checkpoint(version=n, saved_at=iso(each["ms"]), digest=each["digest"])
            for n, each in enumerate(saved, 1)
        ][::-1]

    async def close(self) -> None:
        """Let go of the server."""
        await self._client.aclose()

    def _key(self, thread_id: str) -> str:
        return self._prefix + check_thread(thread_id)

    @asynccontextmanager
    async def _reached(self) -> AsyncIterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise StoreUnavailable(
                f"The checkpoints in Redis cannot be used: {error}; check the server and its URL"
            ) from None


async def _answer(asked: Any) -> Any:
    """Return what a command answers; the library's types do not say that one waits for it."""
    return await asked


def _escaped(text: str) -> str:
    """Return TEXT so that it stands for itself in a pattern of Redis."""
    return "".join(f"\\{each}" if each in "*?[]\\" else each for each in text)
