"""The bundled market: prices, hazards, transfer costs and GPU names, ready to decide on."""

from __future__ import annotations

from finsched.catalog.gpus import accelerators, known_gpus, nearest_gpus, resolve_gpu
from finsched.catalog.market import load_market, places, providers

__all__ = [
    "accelerators",
    "known_gpus",
    "load_market",
    "nearest_gpus",
    "places",
    "providers",
    "resolve_gpu",
]
