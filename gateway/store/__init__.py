"""The durable state: tables, and every query named as a question or a deed."""

from gateway.store.store import Store, database_url
from gateway.store.tx import Deed, Question, Tx

__all__ = ["Deed", "Question", "Store", "Tx", "database_url"]
