"""Conditions on a tool's arguments: `amount > 100 and currency == "USD"`. Pure; an expression reaches nothing else.

Python's comparison syntax, read by simpleeval: names are the arguments, no calls but those of `FUNCTIONS`.
"""

import ast
from collections.abc import Mapping
from typing import Any

from simpleeval import DEFAULT_OPERATORS, EvalWithCompoundTypes

FUNCTIONS = {"len": len, "lower": lambda text: text.lower()}
MAX_CHARS = 500
_COSTLY = (ast.Pow, ast.LShift, ast.RShift)
_OPERATORS = {name: does for name, does in DEFAULT_OPERATORS.items() if name not in _COSTLY}


def check(text: str) -> None:
    """Raises `ValueError` saying what is wrong with the text of a condition."""
    if len(text) > MAX_CHARS:
        raise ValueError(f"a condition has at most {MAX_CHARS} characters")
    try:
        ast.parse(text.strip(), mode="eval")  # one expression: `amount = 5` is none
    except (SyntaxError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else "it is too deep"
        raise ValueError(f"the condition `{text}` cannot be read: {said}") from error


def met(text: str, arguments: Mapping[str, Any] | None) -> bool | None:
    """Does it hold for these arguments? None: it cannot be said (a missing argument, a wrong type, no yes or no)."""
    if arguments is None:
        return None
    try:
        found = EvalWithCompoundTypes(operators=_OPERATORS, functions=FUNCTIONS, names=dict(arguments)).eval(text)
    except Exception:  # noqa: BLE001 - whatever an argument does to an expression, the answer is "it cannot be said"
        return None
    return found if isinstance(found, bool) else None
