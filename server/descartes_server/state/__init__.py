"""What the server knows while it runs; changed on the loop only, and shown to handlers as a `Snapshot`."""

from descartes_server.state.documents import Document
from descartes_server.state.server_state import ServerState
from descartes_server.state.snapshot import Snapshot

__all__ = ["Document", "ServerState", "Snapshot"]
