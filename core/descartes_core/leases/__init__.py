"""Leases: who may write a file, why, and until when, with fencing tokens and a fair queue."""

from descartes_core.leases.leases import Leases
from descartes_core.leases.paths import LeasePath, Paths
from descartes_core.leases.view import LeaseView

__all__ = ["LeasePath", "LeaseView", "Leases", "Paths"]
