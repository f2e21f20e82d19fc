"""One line a fact on standard error: time, level, place, words with ids. No bodies, no secrets."""

import logging

# Each of these writes request bodies or numbers at INFO.
CHATTY = ("twilio", "slack_bolt", "slack_sdk", "aiohttp", "httpx", "httpx2", "websockets", "procrastinate", "alembic")


def set_up(level: str) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
