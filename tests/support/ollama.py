"""A server that speaks Ollama's protocol, with answers given beforehand."""

from __future__ import annotations

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeOllama:
    """Serves on a free port of this machine until closed. ANSWERS: texts, statuses (errors) or raw bytes.

    None as an answer means: none at all, until the server is closed.
    """

    def __init__(self) -> None:
        self.answers: deque[str | int | bytes | None] = deque()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._closing = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                fake.requests.append((self.path, json.loads(self.rfile.read(length))))
                answer = fake.answers.popleft()
                if answer is None:
                    fake._closing.wait()
                    return
                self._send(answer)

            def _send(self, answer: str | int | bytes) -> None:
                status, body = 200, b""
                if isinstance(answer, int):
                    status, body = answer, json.dumps({"error": f"model {answer}"}).encode()
                elif isinstance(answer, bytes):
                    body = answer
                else:
                    body = json.dumps({"model": "m", "response": answer, "done": True}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """Answer nothing any more."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
