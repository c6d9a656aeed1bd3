"""Draws what each policy costs above perfect foresight, by setting, as an SVG of plain text.

Run: `python -m benchmarks.policy.plot FIGURES.json OUT.svg`, with the file that
`benchmarks/bench_policy.py --json` wrote.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

PANELS = (("single", "One pool"), ("multi", "Several pools"))
NOTES = {
    "default": "48 h of work in 60 h",
    "tight": "48 h of work in 53 h",
    "loose": "48 h of work in 72 h",
    "fast_restart": "a start loses 1.2 min",
    "slow_restart": "a start loses 30 min",
    "short_job": "12 h of work in 15 h",
}
_LEFT, _TOP, _ROW, _BAND = 158, 96, 54, 10.5
_PANEL, _GAP, _RIGHT, _MARGIN = 310, 30, 62, 12
_MOST_PERCENT, _TICKS = 45, (0, 10, 20, 30, 40)
_STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 14px }
.note, .axis { font-size: 11px; fill: #6b7280 }
.grid { stroke: #d8dce1; stroke-width: 1 }
.zero { stroke: #9aa1ab; stroke-width: 1.2 }
.stripe { fill: #80889412 }
.whisker { stroke-width: 1.6; stroke-linecap: round; opacity: .5 }
.ours { stroke-width: 2.6; opacity: .7 }
.mark, .value { stroke: none } .value { font-weight: 600; font-size: 12.5px }
@media (prefers-color-scheme: dark) {
  text { fill: #e3e7ec } .note, .axis { fill: #9aa3ae }
  .grid { stroke: #363c45 } .zero { stroke: #6e7682 }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """How a policy is drawn; `label` stands in the legend."""

    policy: str
    label: str
    light: str
    dark: str
    radius: float = 3.6


SERIES = (
    Series(policy="greedy", label="greedy", light="#d98a00", dark="#f0a92e"),
    Series(policy="uniform-progress", label="Uniform Progress", light="#2f73c9", dark="#6aa8f7"),
    Series(policy="sketch", label="sketch", light="#8a919c", dark="#a3abb6"),
    Series(policy="adaptive", label="adaptive", light="#00845f", dark="#2ecc9a", radius=5.2),
)


def main(arguments: list[str] | None = None) -> None:
    """Read the figures, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args(arguments)
    asked.out.write_text(svg(json.loads(asked.figures.read_text("utf-8"))), "utf-8")


def svg(figures: dict[str, Any]) -> str:
    """The whole picture."""
    drawn = [each for each in SERIES if each.policy in figures["excess"]]
    settings = list(dict.fromkeys(cell["setting"] for cell in figures["cells"]))
    width = _LEFT + 2 * (_PANEL + _RIGHT) + _GAP + _MARGIN
    bottom = _TOP + _ROW * len(settings)
    body = [*_legend(drawn), *_names(settings)]
    for at, (mode, title) in enumerate(PANELS):
        left = _LEFT + at * (_PANEL + _RIGHT + _GAP)
        cells = {cell["setting"]: cell for cell in figures["cells"] if cell["mode"] == mode}
        body += _frame(left, bottom, title, len(settings))
        for row, setting in enumerate(settings):
            if setting in cells:
                body += _row(left, _TOP + _ROW * row, cells[setting]["ratios"], drawn)
    size = f'viewBox="0 0 {width} {bottom + 34}" width="{width}" height="{bottom + 34}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="name">',
            '<title id="name">Cost above perfect foresight, by policy and setting</title>',
            f"<style>{_colours(drawn)}{_STYLE}</style>",
            *body,
            "</svg>",
            "",
        ]
    )


def _colours(drawn: list[Series]) -> str:
    light, dark = (
        "\n".join(f".{each.policy} {{ fill: {colour}; stroke: {colour} }}" for each, colour in of)
        for of in (
            [(each, each.light) for each in drawn],
            [(each, each.dark) for each in drawn],
        )
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _legend(drawn: list[Series]) -> Iterator[str]:
    yield _text(_MARGIN, 26, "Cost above perfect foresight", "title")
    yield _text(_MARGIN, 44, "means over pools, 95 % bootstrap intervals; less is better", "note")
    left = _LEFT + _PANEL + _RIGHT + _GAP + 8.0
    for series in drawn:
        yield _mark(left, 25, series)
        yield _text(left + 11, 29.5, series.label)
        left += 36 + 6.6 * len(series.label)


def _names(settings: list[str]) -> Iterator[str]:
    for row, setting in enumerate(settings):
        middle = _TOP + _ROW * (row + 0.5)
        yield _text(_MARGIN, middle - 2, setting.replace("_", " "))
        yield _text(_MARGIN, middle + 14, NOTES.get(setting, ""), "note")


def _frame(left: float, bottom: float, title: str, rows: int) -> Iterator[str]:
    yield _text(left, _TOP - 18, title, "title")
    for row in range(0, rows, 2):
        top = _TOP + _ROW * row
        yield (
            f'<rect class="stripe" x="{left}" y="{top}" '
            f'width="{_PANEL + _RIGHT}" height="{_ROW}" rx="4"/>'
        )
    for percent in _TICKS:
        place = _place(left, percent)
        style = "grid" if percent else "zero"
        yield f'<line class="{style}" x1="{place}" x2="{place}" y1="{_TOP}" y2="{bottom + 4}"/>'
        yield _text(place, bottom + 20, f"{percent} %", "axis", "middle")


def _row(left: float, top: float, ratios: dict[str, Any], drawn: list[Series]) -> Iterator[str]:
    first = top + _ROW / 2 - _BAND * (len(drawn) - 1) / 2
    for at, series in enumerate(drawn):
        height = first + _BAND * at
        ratio = ratios[series.policy]
        low, high = (_place(left, 100 * (edge - 1)) for edge in ratio["interval"])
        yield (
            f'<line class="{series.policy} whisker{" ours" * (series is drawn[-1])}" '
            f'x1="{low}" x2="{high}" y1="{height}" y2="{height}"/>'
        )
        yield _mark(_place(left, 100 * (ratio["value"] - 1)), height, series)
    ours = 100 * (ratios[drawn[-1].policy]["value"] - 1)
    style = f"{drawn[-1].policy} value"
    yield _text(left + _PANEL + _RIGHT - 8, top + _ROW / 2 + 4, f"{ours:.1f} %", style, "end")


def _place(left: float, percent: float) -> float:
    return round(left + 8 + (_PANEL - 8) * min(percent, _MOST_PERCENT) / _MOST_PERCENT, 1)


def _mark(across: float, down: float, series: Series) -> str:
    return f'<circle class="{series.policy} mark" cx="{across}" cy="{down}" r="{series.radius}"/>'


def _text(across: float, down: float, words: str, style: str = "", anchor: str = "start") -> str:
    return (
        f'<text x="{across}" y="{down}" class="{style}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


if __name__ == "__main__":
    main()
