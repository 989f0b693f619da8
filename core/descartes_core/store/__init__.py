"""The log of a workspace: one append-only chain of events, and the tables that are folds over it."""

from descartes_core.store.log import Store
from descartes_core.store.projections import Executes, Projection
from descartes_core.store.query import EventQuery, Page
from descartes_core.store.reader import Reader
from descartes_core.store.redaction import Redactor
from descartes_core.store.transaction import Transaction
from descartes_core.store.verification import Verification, verify

__all__ = [
    "EventQuery",
    "Executes",
    "Page",
    "Projection",
    "Reader",
    "Redactor",
    "Store",
    "Transaction",
    "Verification",
    "verify",
]
