"""Large objects in blocks, several at a time; what Azure has of a failed upload is not sent again.

Blocks that no list names are free of charge to look at, and Azure drops them after a week.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from functools import partial

from finsched.node.objects import StoreError
from finsched.node.stores.gs import md5_header
from finsched.node.stores.parallel import several_at_once
from finsched.node.web.connections import Answer
from finsched.node.web.service import error_code

Ask = Callable[..., Answer]


class BlockUploads:
    """The uploads to one container, by key; `ask` is `(method, key, query, headers, body)`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._sent: dict[str, set[str]] = {}  # the blocks that Azure has of an unfinished upload

    def send(self, key: str, parts: Iterable[bytes]) -> None:
        """Write an object of several blocks; raises StoreError."""
        sent = self._sent.setdefault(key, set())
        numbered = enumerate(parts, start=1)
        ids = list(several_at_once(partial(self._send_block, key, sent), numbered))
        listed = "".join(f"<Latest>{each}</Latest>" for each in ids)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
        headers = {"x-ms-blob-content-type": "application/octet-stream"}
        answer = self._ask("PUT", key, {"comp": "blocklist"}, headers, body)
        self._sent.pop(key, None)  # after a refusal the next try begins anew
        _require(answer)

    def give_up(self, key: str) -> None:
        """Forget an unfinished upload: Azure drops its blocks by itself."""
        self._sent.pop(key, None)

    def _send_block(self, key: str, sent: set[str], numbered: tuple[int, bytes]) -> str:
        """Send a block and return its id, which is made of its place and its content."""
        number, part = numbered
        headers = md5_header(part)
        name = f"{number:06d}-{headers['content-md5']}"
        block_id = base64.b64encode(name.encode()).decode()
        if block_id not in sent:
            query = {"comp": "block", "blockid": block_id}
            _require(self._ask("PUT", key, query, headers, part))
            sent.add(block_id)
        return block_id


def _require(answer: Answer) -> None:
    if answer.status != 201:
        raise StoreError(f"the answer was {answer.status} {error_code(answer)}".rstrip())
