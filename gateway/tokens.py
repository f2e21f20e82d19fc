"""People's own tokens, by which they decide through the API and the command line. Nothing at rest can be stolen."""

from collections.abc import Sequence

from gateway import audit, codes
from gateway.errors import GiveUp
from gateway.events import Identity, Proof
from gateway.policy import TOKEN, Policy
from gateway.ports import Clock
from gateway.store import Store, Tx, tokens


class Tokens:
    def __init__(self, store: Store, policy: Policy, keys: Sequence[str], clock: Clock) -> None:
        """`keys`, newest first: new tokens are made with the first, and those of each are good."""
        self._store = store
        self._policy = policy
        self._keys = keys
        self._clock = clock

    async def bearer(self, written: str) -> Identity | None:
        """Whose token it is. None: nobody's, or no longer. Who left the directory has none."""
        claimed = codes.token_parts(written)
        if claimed is None or claimed[0] not in self._policy.people:
            return None
        person = claimed[0]
        n = await self._store.read(lambda db: tokens.number(db, person))
        return _identity(person) if n and codes.is_token(written, self._keys, person, n) else None

    async def give(self, person: str, *, new: bool, by: str) -> str:
        """Their token. `new`: one that makes those before it void. Raises `GiveUp` for a stranger."""
        if person not in self._policy.people:
            known = ", ".join(sorted(self._policy.people)) or "nobody"
            raise GiveUp(f"there is no [people.{person}] in gateway.toml (there are: {known})")
        n = await self._store.write(lambda tx: self._number(tx, person, new, by))
        return codes.token(self._keys[0], person, n)

    async def _number(self, tx: Tx, person: str, new: bool, by: str) -> int:
        now = self._clock()
        made = await tokens.first(tx, person, now)
        if new and not made:
            await tokens.next_one(tx, person, now)
        n = await tokens.number(tx.db, person)
        whose = audit.pseudonym(_identity(person))
        await audit.note(tx, "token made" if made or new else "token shown", now, who=by, whose=whose, n=n)
        return n


def _identity(person: str) -> Identity:
    return Identity(channel=TOKEN, address=person, proof=Proof.TOKEN)
