"""How a request is called on a command line."""

from gateway.approvals.opening import new_id


def test_no_request_is_called_like_an_option() -> None:
    ids = {new_id() for _ in range(2_000)}

    assert len(ids) == 2_000
    assert not any(one.startswith("-") for one in ids)
    assert {len(one) for one in ids} == {24}
