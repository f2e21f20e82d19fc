"""Approval requests: opened, shown, decided once by the right people, or ended by time. One file a part."""

from gateway.approvals.approvals import Approvals
from gateway.approvals.views import view_of

__all__ = ["Approvals", "view_of"]
