"""A desk whose image is elsewhere: its settings, the state of its image, and a Swank server to connect to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from descartes_server.operations.settings import LispSettings, Settings
from support.desk import Desk
from support.stock_swank import StockSwank, run_stock_swank
from support.until import until


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockSwank]:
    with run_stock_swank(tmp_path_factory.mktemp("stock")) as swank:
        yield swank


def settings(desk: Desk, **lisp: Any) -> None:
    desk.context.services.settings = Settings(lisp=LispSettings(**lisp))


async def state(desk: Desk, wanted: str) -> dict[str, Any]:
    image = desk.context.services.image
    await until(lambda: image.status().state == wanted, f"the image is {wanted}")
    return await desk.call("lisp.status")
