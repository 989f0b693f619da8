"""`OllamaProvider`: a model served by Ollama, here or elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from descartes_core.trace.llm.base import LLMError

DEFAULT_MODEL = "llama3.1:8b"
DEFAULT_URL = "http://localhost:11434"
DEFAULT_TIMEOUT = 120.0
LONGEST_ANSWER = 16 * 1024 * 1024
_LOOPBACK = frozenset(["localhost", "127.0.0.1", "::1"])


class OllamaProvider:
    """The model MODEL of the Ollama at BASE_URL (any host and port); an answer has TIMEOUT seconds."""

    def __init__(
        self, model: str = DEFAULT_MODEL, base_url: str = DEFAULT_URL, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"expected a URL such as {DEFAULT_URL}, got {base_url!r}; give scheme and host")
        self.model = model
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self._near = parts.hostname in _LOOPBACK

    def generate(
        self, prompt: str, *, system: str | None = None, schema: Mapping[str, Any] | None = None
    ) -> str:
        """Return the text with which the model answers PROMPT, told SYSTEM before.

        SCHEMA is the JSON Schema of what is wanted. Errors: `LLMError`.
        """
        request: dict[str, Any] = {
            "model": self.model,
            "prompt": prompt,
            "stream": False,
            # The same request shall have the same answer.
            "options": {"temperature": 0},
        }
        if system is not None:
            request["system"] = system
        if schema is not None:
            request["format"] = schema
        answer = self._post("/api/generate", request)
        text = answer.get("response")
        if not isinstance(text, str):
            raise LLMError(f"Ollama at {self.base_url} answered without a text: {str(answer)[:200]}")
        return text

    def _post(self, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        from http.client import HTTPException
        from urllib import request as http
        from urllib.error import HTTPError, URLError

        call = http.Request(
            self.base_url + path,
            data=json.dumps(request).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        # What runs on this machine is never asked through a proxy.
        opener = http.build_opener(http.ProxyHandler({})) if self._near else http.build_opener()
        try:
            with opener.open(call, timeout=self.timeout) as response:
                body = response.read(LONGEST_ANSWER)
        except HTTPError as error:
            raise LLMError(self._refusal(error.code, error.read(2000))) from None
        except TimeoutError:
            raise LLMError(f"Ollama at {self.base_url} gave no answer within {self.timeout:g} s") from None
        except (URLError, HTTPException, OSError) as error:
            raise LLMError(self._unreachable(error)) from None
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise LLMError(f"Expected JSON from Ollama at {self.base_url}, got {body[:200]!r}")
        return answer

    def _refusal(self, status: int, body: bytes) -> str:
        try:
            told = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError):
            told = body.decode("utf-8", "replace")[:200]
        hint = f"; pull it with: ollama pull {self.model}" if status == 404 else ""
        return f"Ollama at {self.base_url} answered {status}: {told}{hint}"

    def _unreachable(self, error: Exception) -> str:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return f"Ollama at {self.base_url} gave no answer within {self.timeout:g} s"
        return f"Ollama at {self.base_url} cannot be reached ({reason}); start it with: ollama serve"
