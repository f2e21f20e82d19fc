"""The durable state: tables, and every query named as a question or a deed."""

from gateway.store.store import Deed, Question, Store, Tx, database_url

__all__ = ["Deed", "Question", "Store", "Tx", "database_url"]
