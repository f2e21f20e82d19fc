"""The sample orders of the agent that ships. Data only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    id: str
    item: str
    total: float
    status: str


ORDERS = {
    order.id: order
    for order in (
        Order("A-1001", "a box kite", 80, "was delivered on 3 November"),
        Order("A-1002", "a delta kite", 45, "is on its way and should arrive tomorrow"),
        Order("A-1003", "a stunt kite", 120, "is being packed"),
        Order("A-1004", "two spare lines", 15, "was cancelled before it was sent"),
        Order("A-1005", "a kite repair kit", 25, "was delivered on 10 November"),
    )
}
