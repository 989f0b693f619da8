"""How strictly the past of a run is put together, as whoever asks for a moment of it may say."""

from __future__ import annotations

from descartes_core.errors import InvalidParams
from descartes_core.timetravel.brain import Filters, RestoreOptions
from descartes_server.operations.registry import Params


class MomentParams(Params, frozen=True, kw_only=True):
    """How the past is read; what is left out is as the operation has it.

    VALIDATE refuses orphans among thoughts and decisions and lost turns, STRICT_CAUSALITY an effect before
    its cause, MAX_EVENTS a longer past. SKIP_MISSING leaves out events that speak of something that the log
    does not have, INCLUDE_METADATA keeps tags and metadata. Only events of one of TYPES (a category, or the
    beginning of a name) with all TAGS are looked at.
    """

    validate: bool | None = None
    skip_missing: bool | None = None
    strict_causality: bool | None = None
    max_events: int | None = None
    include_metadata: bool | None = None
    types: list[str] = []
    tags: list[str] = []


def options_of(params: MomentParams, otherwise: RestoreOptions) -> RestoreOptions:
    """Return the options that PARAMS give, with OTHERWISE for what they leave out.

    Errors: `InvalidParams`.
    """
    if params.max_events is not None and params.max_events < 1:
        raise InvalidParams(f"Expected maxEvents of 1 or more, got {params.max_events}; leave it out for all")
    return RestoreOptions(
        validate=_given(params.validate, otherwise.validate),
        skip_missing=_given(params.skip_missing, otherwise.skip_missing),
        strict_causality=_given(params.strict_causality, otherwise.strict_causality),
        max_events=otherwise.max_events if params.max_events is None else params.max_events,
        include_metadata=_given(params.include_metadata, otherwise.include_metadata),
        filters=Filters(types=params.types, tags=params.tags),
    )


def _given(value: bool | None, otherwise: bool) -> bool:
    return otherwise if value is None else value
