"""The figures as tables in Markdown, and as a plot."""

import json
import subprocess
from statistics import median

import peers
from plot import SCRIPT
from servers import SERVERS
from works import GIB, MIB

BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


def write(folder, results, works):
    """`performance.json`, the plot, and the tables between the markers of `performance.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    page, plot = folder / "performance.md", folder / "performance.svg"
    (folder / "performance.json").write_text(json.dumps(results, indent=1) + "\n")
    text = page.read_text() if page.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = render(results, works)
    drawn = _draw(plot, results, works)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n{drawn}\n\n{END}{after}")


def render(results, works):
    measures = _by_contestant(results)
    parts = [
        _conditions(results),
        "### Ratios\n\n" + _ratios(results, works, measures),
        "### Sessions\n\n" + _sessions(works, measures),
        "### Peak memory\n\n" + _memory(works, measures),
        "### Who was measured\n\n" + _servers(results),
    ]
    return "\n".join(parts)


def ratios(results, works):
    """Of each comparison: its work and contestants, and the ratio of speeds in each round."""
    measures = _by_contestant(results)
    for work in works:
        for one, other in [] if work.once else work.compared():
            ours, theirs = (measures.get((work.name, each.key), []) for each in (one, other))
            rounds = [
                _speed(work, mine) / _speed(work, its)
                for mine, its in zip(ours, theirs, strict=False)
                if mine["round"] == its["round"]
            ]
            yield work, one, other, rounds


def _by_contestant(results):
    found = {}
    for measure in results["measures"]:
        found.setdefault((measure["work"], measure["contestant"]), []).append(measure)
    return found


def _speed(work, measure):
    amount = measure["bytes"] / GIB if work.unit == "GiB/s" else measure["requests"]
    return amount / measure["seconds"]


def _cpu(work, measure):
    if work.unit == "GiB/s":
        return measure["cpu_seconds"] / (measure["bytes"] / GIB)
    return measure["cpu_seconds"] / measure["requests"] * 1e6


def label(contestant):
    name = SERVERS[contestant.server].name
    return f"{name} ({contestant.way})" if contestant.way else name


def _conditions(results):
    facts = results["conditions"]
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    return "\n".join(lines) + "\n"


def _ratios(results, works, measures):
    rows = [
        "| work | ours | against | ratio (rounds: least – most) | ours | theirs "
        "| processor, ours | theirs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for work, one, other, rounds in ratios(results, works):
        if not {one.server, other.server} <= set(results["servers"]):
            continue
        if not rounds:
            reason = _reason(results, work, one, other)
            rows.append(f"| {work.title} | {label(one)} | {label(other)} | {reason} | | | | |")
            continue
        middle = f"**{median(rounds):.2f}** ({min(rounds):.2f} – {max(rounds):.2f})"
        speeds, costs = [], []
        for each in (one, other):
            mine = measures[work.name, each.key]
            speeds.append(_amount(work, median(_speed(work, measure) for measure in mine)))
            cost = median(_cpu(work, measure) for measure in mine)
            costs.append(f"{cost:.2f} s/GiB" if work.unit == "GiB/s" else f"{cost:.1f} µs")
        cells = [work.title, label(one), label(other), middle, *speeds, *costs]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _amount(work, speed):
    return f"{speed:.2f} GiB/s" if work.unit == "GiB/s" else f"{speed:,.0f}/s"


def _reason(results, work, one, other):
    for contestant in (one, other):
        reasons = (contestant.server, f"{work.name} {contestant.key}", work.name)
        for reason in filter(None, map(results["out"].get, reasons)):
            return f"**{reason}**".replace("|", "/")
    return "not measured"


def _sessions(works, measures):
    rows = [
        "| work | way | whole | a chunk (median) | the last chunk, which completes | read again |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for work in works:
        for contestant in work.contestants if work.is_session else ():
            mine = measures.get((work.name, contestant.key))
            if not mine or not contestant.way.startswith("session"):
                continue
            figures = (
                f"{median(measure['seconds'] for measure in mine):.2f} s",
                f"{median(measure['p50_us'] for measure in mine) / 1000:.1f} ms",
                _spread([measure["last_us"] / 1000 for measure in mine], "ms"),
                _spread([measure["bytes_read"] / MIB for measure in mine], "MiB"),
            )
            rows.append(f"| {' | '.join([work.title, contestant.way, *figures])} |")
    return "\n".join(rows) + "\n"


def _spread(values, unit):
    return f"{median(values):.1f} {unit} ({min(values):.1f} – {max(values):.1f})"


def _memory(works, measures):
    """Of those works that are there for it, and of each server the greatest of all."""
    rows = ["| work | server | peak of resident memory |", "| --- | --- | --- |"]
    for work in works:
        for contestant in work.contestants if work.once else ():
            for measure in measures.get((work.name, contestant.key), ()):
                peak = measure["peak_memory"] / MIB
                rows.append(f"| {work.title} | {label(contestant)} | {peak:.0f} MiB |")
    peaks = {}
    for work in works:
        for contestant in () if work.once else work.contestants:
            for measure in measures.get((work.name, contestant.key), ()):
                peak = measure["peak_memory"] / MIB
                if peak > peaks.get(contestant.server, (0, ""))[0]:
                    peaks[contestant.server] = peak, work.title
    for server, (peak, title) in sorted(peaks.items(), key=lambda each: each[1]):
        if peak:
            rows.append(f"| its greatest of all others: {title} | {SERVERS[server].name} | {peak:.0f} MiB |")
    return "\n".join(rows) + "\n"


def _servers(results):
    rows = [
        "| server | from | hashes | verifies | syncs before it answers | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for key in results["servers"]:
        server = SERVERS[key]
        note = results["out"].get(key, "").replace("|", "/")
        cells = (server.name, server.package, server.hashes, server.verifies, server.syncs, note)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _draw(path, results, works):
    """The plot, or why there is none."""
    rows = [
        (f"{work.name}: {label(one)} / {label(other)}", rounds)
        for work, one, other, rounds in ratios(results, works)
        if rounds
    ]
    try:
        python = peers.python("matplotlib", "3.11.2")
        done = subprocess.run(
            [python, SCRIPT, path], input=json.dumps(rows), capture_output=True, text=True, timeout=120
        )
        if done.returncode:
            raise peers.Missing(done.stderr.strip().splitlines()[-1])
    except peers.Missing as error:
        return f"There is no plot: {error}."
    return f"![Ratios of speeds, of each comparison the median and the range]({path.name})"
