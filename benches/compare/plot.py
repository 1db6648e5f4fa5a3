"""Draws the ratios: python plot.py FILE, rows of [name, ratios] as JSON on standard input.

A program of its own, since only this part needs matplotlib."""

import json
import sys
from pathlib import Path
from statistics import median

SCRIPT = Path(__file__)


def draw(path, rows):
    import matplotlib

    matplotlib.use("svg")
    # The same figures are the same file.
    matplotlib.rcParams["svg.hashsalt"] = "filestore"
    import matplotlib.pyplot as pyplot

    names = [name for name, _ in rows]
    middles = [median(ratios) for _, ratios in rows]
    spread = [
        [middle - min(ratios) for middle, (_, ratios) in zip(middles, rows, strict=True)],
        [max(ratios) - middle for middle, (_, ratios) in zip(middles, rows, strict=True)],
    ]
    places = range(len(rows), 0, -1)
    figure, axes = pyplot.subplots(figsize=(11, 1 + 0.24 * len(rows)), layout="constrained")
    axes.errorbar(middles, list(places), xerr=spread, fmt="o", markersize=4, capsize=2, color="#1f4e79")
    axes.axvline(1, color="gray", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([0.25, 0.5, 1, 2, 4, 10, 40], ["1/4", "1/2", "1", "2", "4", "10", "40"])
    axes.minorticks_off()
    axes.set_yticks(list(places), names, fontsize=8)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("speed of the first by that of the second: median of the rounds, least to most")
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    draw(sys.argv[1], json.load(sys.stdin))
