"""A bootstrap that starts nothing: user data that says for which launch it is."""

from __future__ import annotations

from finsched.provider import LaunchRequest


class Echo:
    """Which launches were prepared, with their ranks, and which forgotten."""

    def __init__(self) -> None:
        self.prepared: list[tuple[str, int]] = []
        self.forgotten: list[str] = []

    def __call__(self, request: LaunchRequest, rank: int = 0) -> str:
        self.prepared.append((request.token, rank))
        return f"#!/bin/sh\necho {request.token} {rank}\n"

    def forget(self, request: LaunchRequest) -> None:
        self.forgotten.append(request.token)
