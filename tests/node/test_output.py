"""No secret leaves the agent, however the stream is cut."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from finsched.node.job.output import OutputLog, Redactor, output_objects, read_output
from finsched.node.store import Store

SECRETS = st.lists(st.text("abé\n", min_size=4, max_size=9), max_size=3)


@given(secrets=SECRETS, text=st.text("abé\n\0", max_size=60), cuts=st.lists(st.integers(0, 100)))
def test_a_cut_stream_is_redacted_as_the_whole_one(
    secrets: list[str], text: str, cuts: list[int]
) -> None:
    content = text.encode()
    borders = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    redactor, whole = Redactor(secrets), Redactor(secrets)
    shown = b"".join(redactor.feed(content[a:b]) for a, b in itertools.pairwise(borders))
    shown += redactor.close()
    assert shown == whole.feed(content) + whole.close()
    pieces = {piece for secret in secrets for piece in (secret, *secret.split("\n"))}
    hidden = [piece for piece in pieces if len(piece) >= 4]
    assert not any(piece.encode() in shown for piece in hidden)
    if not any(piece in text for piece in hidden):
        assert shown == content


def test_of_two_secrets_with_one_beginning_nothing_is_left() -> None:
    redactor = Redactor(["token", "token-long"])
    shown = redactor.feed(b"a token-") + redactor.feed(b"long b token c") + redactor.close()
    assert shown == b"a *** b *** c"


def test_a_secret_of_several_lines_is_hidden_line_by_line() -> None:
    key = "-----BEGIN KEY-----\r\nMIIEvQIBADAN\r\nBgkq\r\nxyz\r\n"
    redactor = Redactor([key])
    printed = b"1: MIIEvQIBADAN\n2: Bgkq\n" + key.encode() + key.replace("\r\n", "\\n").encode()
    shown = redactor.feed(printed) + redactor.close()
    assert shown == b"1: ***\n2: ***\n***" + b"***\\n***\\n***\\nxyz\\n"


def test_a_secret_that_is_not_utf8_is_hidden() -> None:
    secret = os.fsdecode(b"\xff\xfe\0secret")
    assert Redactor([secret]).feed(b"it is \xff\xfe\0secret.") == b"it is ***."


def test_a_long_secret_does_not_slow_the_output_down() -> None:
    key = "\n".join("-" * 60 + f"{line:04d}" for line in range(60))
    redactor = Redactor([key])
    started = time.process_time()
    for _ in range(1000):
        redactor.feed(b"step 1 of many - loss 0.123 - all is well ----\n")
    assert time.process_time() - started < 2


def test_short_secrets_are_not_replaced() -> None:
    assert Redactor(["abc", ""]).feed(b"abc") == b"abc"


def test_output_reaches_the_file_and_the_store(store: Store, tmp_path: Path) -> None:
    log = OutputLog(tmp_path / "job.log", output_objects(store, 3), ["hunter22"])
    reader, writer = os.pipe()
    pump = log.pump(os.fdopen(reader, "rb"))
    os.write(writer, b"the password is hunt")
    time.sleep(0.05)
    os.write(writer, b"er22, they say")
    os.close(writer)
    pump.join()
    log.close(timeout_seconds=5)
    assert (tmp_path / "job.log").read_bytes() == b"the password is ***, they say"
    assert b"".join(chunk for _, chunk in read_output(store, 3)) == b"the password is ***, they say"
