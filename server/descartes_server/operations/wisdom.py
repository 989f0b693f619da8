"""The operations `wisdom.*`: what was learned by working here, and how far it has proved true."""

from __future__ import annotations

from descartes_core.errors import InvalidParams
from descartes_core.memory.shapes import Wisdom
from descartes_core.memory.wisdom import WisdomBook, WisdomView
from descartes_core.model import Shape
from descartes_server.operations import remembering
from descartes_server.operations.context import Context
from descartes_server.operations.registry import Params, operation


class AddParams(Params, frozen=True, kw_only=True):
    """An INSIGHT in a sentence or two; CONFIDENCE, from 0 to 1, is what it begins with."""

    insight: str
    category: str = "general"
    tags: list[str] = []
    confidence: float | None = None


class ListParams(Params, frozen=True, kw_only=True):
    """Wisdom about what ABOUT is about, with all TAGS, trusted at least MIN_CONFIDENCE."""

    about: str | None = None
    tags: list[str] = []
    min_confidence: float = 0.0
    limit: int = 100


class WisdomParams(Params, frozen=True, kw_only=True):
    """The id of a piece of wisdom, or its beginning."""

    wisdom: str


class OutcomeParams(WisdomParams, frozen=True, kw_only=True):
    """Whether it HELPED; or EFFECT, from 0 (not at all) to 1 (fully). NOTE says more."""

    helped: bool | None = None
    effect: float | None = None
    note: str | None = None


class ListOfWisdom(Shape, frozen=True, kw_only=True):
    """Wisdom, the most trusted first; when asked about something, the most fitting first."""

    wisdom: list[Wisdom]


@operation("wisdom.add", kind="effect", for_agents=True, positional=("insight",))
async def add(context: Context, params: AddParams) -> Wisdom:
    """Keep something that was learned, for later runs."""
    by = await remembering.author(context)
    return await WisdomBook(context.services.store).add(
        params.insight, by, category=params.category, tags=params.tags, initial=params.confidence
    )


@operation("wisdom.list", kind="read", for_agents=True, positional=("about",))
async def list_(context: Context, params: ListParams) -> ListOfWisdom:
    """List what was learned, the most trusted first, or the most fitting to what is asked about."""
    view = WisdomView(context.services.reader)
    if params.about is None:
        found = await view.list(tags=params.tags, min_confidence=params.min_confidence, limit=params.limit)
        return ListOfWisdom(wisdom=list(found))
    fitting = await view.relevant(params.about, min_confidence=params.min_confidence, limit=params.limit)
    wanted = {tag.casefold() for tag in params.tags}
    found = [each.wisdom for each in fitting]
    return ListOfWisdom(wisdom=[each for each in found if wanted <= {tag.casefold() for tag in each.tags}])


@operation("wisdom.show", kind="read", for_agents=True, positional=("wisdom",))
async def show(context: Context, params: WisdomParams) -> Wisdom:
    """Show one piece of wisdom."""
    return await WisdomView(context.services.reader).show(params.wisdom)


@operation("wisdom.outcome", kind="effect", for_agents=True, positional=("wisdom",))
async def outcome(context: Context, params: OutcomeParams) -> Wisdom:
    """Say whether a piece of wisdom helped; that moves how far it is trusted."""
    if (params.helped is None) == (params.effect is None):
        raise InvalidParams("Expected `helped` (or not), or an `effect` from 0 to 1; give one of the two")
    effect = params.effect if params.effect is not None else float(bool(params.helped))
    by = await remembering.author(context)
    return await WisdomBook(context.services.store).outcome(params.wisdom, effect, by, note=params.note)
