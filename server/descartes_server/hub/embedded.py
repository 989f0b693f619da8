"""The hub inside a language server's own process: the same hub and the same client, without a socket."""

from __future__ import annotations

from descartes_server.hub.attachment import Attachment
from descartes_server.hub.service import Hub
from descartes_server.hub.wire import LocalWire, Lost, Receive


class EmbeddedOpener:
    """Opens wires to HUB in this process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def open(self, receive: Receive, lost: Lost, *, start: bool) -> LocalWire:
        """Return a wire to the hub; it is always there."""
        ours, theirs = LocalWire.pair()
        attachment = Attachment(self._hub)
        attachment.use(theirs)
        theirs.listen(attachment.receive, attachment.lost)
        ours.listen(receive, lost)
        return ours
