"""One image of each kind for a module of tests: what a test defines in it stays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from descartes_swank.image import ImageRecord, start_image, stop_image
from support.images import NO_INIT, shared_cache
from support.stock_swank import StockSwank, run_stock_swank


@pytest.fixture(scope="module")
def own_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRecord]:
    """An image as Descartes starts it."""
    folder = tmp_path_factory.mktemp("image")
    record = asyncio.run(start_image(NO_INIT, folder, shared_cache(), folder / "lisp.log"))
    yield record
    asyncio.run(stop_image(record))


@pytest.fixture(scope="module")
def stock_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockSwank]:
    """An image as a user starts it, with the distribution's Swank."""
    with run_stock_swank(tmp_path_factory.mktemp("stock")) as swank:
        yield swank
