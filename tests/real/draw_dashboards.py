#!/usr/bin/env python3
"""Draws dashboards as pages, from a Prometheus: to look at where there is no Grafana.

  draw_dashboards.py URL NAMESPACE DASHBOARDS OUT

It knows the panels, units and options that deploy/grafana/source writes and nothing else. What it shows is
the grid, titles, units, legends and values; how Grafana draws is Grafana's. Needs Python 3.9 and nothing else.
"""

import html
import json
import math
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

URL, NAMESPACE, DASHBOARDS, OUT = sys.argv[1:]
SECONDS, CELL, ROW, GAP, LEFT = 120, 60, 38, 8, 84
COLORS = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a"]
NAMED = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c"}
VARIABLES = {"namespace": NAMESPACE, "__rate_interval": "30s", "__range": "15m", "__interval": "15s"}


def ask(target, path, **more):
    expr = re.sub(r"\$\{?(\w+)\}?", lambda found: VARIABLES.get(found[1], ".*"), target["expr"])
    query = urllib.parse.urlencode({"query": expr, **more})
    with urllib.request.urlopen(f"{URL}/api/v1/{path}?{query}") as answer:
        return json.load(answer)["data"]["result"]


def instant(target):
    return [(one["metric"], float(one["value"][1])) for one in ask(target, "query")]


def over_time(target):
    now = time.time()
    found = ask(target, "query_range", start=now - SECONDS, end=now, step=1)
    return [(one["metric"], [(float(at) - now + SECONDS, float(value)) for at, value in one["values"]]) for one in found]


def said(value, unit):
    """A value in its unit, about as Grafana writes it."""
    if value is None or math.isnan(value):
        return "–"
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value * 1e6:.3g} µs" if value else "0 s"
    if unit in ("bytes", "Bps"):
        power = min(3, int(math.log(abs(value), 1024))) if abs(value) >= 1 else 0
        return f"{value / 1024 ** power:.3g} {['B', 'KiB', 'MiB', 'GiB'][power]}{'/s' if unit == 'Bps' else ''}"
    suffix = {"reqps": " req/s", "cps": " c/s", "ops": " ops/s"}.get(unit, "")
    for size, name in ((1e9, "Bil"), (1e6, "Mil"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:.3g} {name}{suffix}"
    return f"{value:.3g}{suffix}"


def legend(target, labels):
    text = target["legendFormat"]
    if text == "__auto":
        return ", ".join(f"{key}={value}" for key, value in labels.items()) or target["expr"]
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), text).strip() or "Value"


def element(tag, text="", **attributes):
    joined = "".join(f' {key.replace("_", "-")}="{html.escape(str(value))}"' for key, value in attributes.items())
    return f"<{tag}{joined}>{text}</{tag}>"


def lines(panel, width, height):
    unit, custom = panel["fieldConfig"]["defaults"]["unit"], panel["fieldConfig"]["defaults"]["custom"]
    stacked = custom["stacking"]["mode"] == "normal"
    series = [(legend(target, labels), points) for target in panel["targets"] for labels, points in over_time(target)]
    rows = min(len(series), 4)
    plot = height - 34 - 18 * (rows + 1)
    below, drawn = {}, []
    for name, points in series:
        points = [(at, value) for at, value in points if math.isfinite(value)]
        if stacked:
            points = [(at, value + below.get(round(at), 0.0)) for at, value in points]
            below.update((round(at), value) for at, value in points)
        drawn.append((name, points))
    largest = max((value for _, points in drawn for _, value in points), default=0) or 1
    x = lambda at: LEFT + at / SECONDS * (width - LEFT - 12)
    y = lambda value: 6 + (1 - value / largest) * (plot - 12)
    shapes = []
    for share in (0, 0.5, 1):
        at = y(share * largest)
        shapes.append(element("line", x1=LEFT, x2=width - 12, y1=at, y2=at, stroke="#2c3235"))
        shapes.append(element("text", html.escape(said(share * largest, unit)), x=LEFT - 6, y=at + 4, text_anchor="end"))
    for number, (name, points) in reversed(list(enumerate(drawn))):
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
        color = COLORS[number % len(COLORS)]
        if stacked and points:
            path_below = f"{x(points[0][0]):.1f},{y(0):.1f} {path} {x(points[-1][0]):.1f},{y(0):.1f}"
            shapes.append(element("polygon", points=path_below, fill=color, fill_opacity=0.4))
        shapes.append(element("polyline", points=path, fill="none", stroke=color, stroke_width=1.3))
    cells = "".join(
        element("tr", element("td", f'<b style="color:{COLORS[number % len(COLORS)]}">▬</b> ' + html.escape(name))
                + "".join(element("td", html.escape(said(value, unit)), **{"class": "n"}) for value in (
                    points[-1][1] if points else None, max((v for _, v in points if math.isfinite(v)), default=None))))
        for number, (name, points) in enumerate(series))
    table = element("table", "<tr><th>Name</th><th class=n>Last</th><th class=n>Max</th></tr>" + cells)
    scroll = element("div", table, style=f"height:{18 * (rows + 1)}px;overflow:hidden")
    return element("svg", "".join(shapes), width=width, height=plot) + scroll


def number(panel, width, height):
    defaults, target = panel["fieldConfig"]["defaults"], panel["targets"][0]
    found = instant(target)
    if panel["options"]["textMode"] == "name":
        return element("div", html.escape(", ".join(legend(target, labels) for labels, _ in found)), **{"class": "stat"})
    value = found[0][1] if found else None
    color = next(step["color"] for step in reversed(defaults["thresholds"]["steps"])
                 if step["value"] is None or (value is not None and value >= step["value"]))
    text = said(value, defaults["unit"]) + (f" ({len(found)} series!)" if len(found) > 1 else "")
    return element("div", html.escape(text), **{"class": "stat"}, style=f"color:{NAMED[color]}")


def rows_of(panel, width, height):
    organize = panel["transformations"][-1]["options"]
    units = {one["matcher"]["options"]: one["properties"][0]["value"] for one in panel["fieldConfig"]["overrides"]}
    rows = {}
    for target in panel["targets"]:
        column = "Value" if len(panel["targets"]) == 1 else f"Value #{target['refId']}"
        for labels, value in instant(target):
            key = json.dumps(labels, sort_keys=True)
            rows.setdefault(key, dict(labels))[column] = value
    names = organize["renameByName"]
    heads = sorted(names, key=lambda name: organize["indexByName"][name])
    extra = {label for row in rows.values() for label in row} - set(names)
    heads += [f"{label} (!)" for label in sorted(extra)]
    first = panel["options"]["sortBy"][0]["displayName"]
    by = next(name for name, heading in names.items() if heading == first)
    ordered = sorted(rows.values(), key=lambda row: -(row.get(by) or 0))
    cell = lambda row, name: said(row[name], units[names[name]]) if isinstance(row.get(name), float) else row.get(name, "")
    body = "".join(element("tr", "".join(element("td", html.escape(cell(row, name))) for name in heads)) for row in ordered)
    head = element("tr", "".join(element("th", html.escape(names.get(name, name))) for name in heads))
    return element("div", element("table", head + body), style=f"height:{height - 34}px;overflow:hidden")


def heat(panel, width, height):
    found = [(float(labels["le"]), dict((round(at), value) for at, value in points))
             for labels, points in over_time(panel["targets"][0])]
    found.sort(key=lambda one: one[0])
    # Bounds of several kinds, of applications beside derived ones, do not add up; what does is drawn.
    hidden, counts, before = panel["options"]["filterValues"]["le"], [], {}
    for bound, points in found:
        counts.append((bound, {at: value - before.get(at, 0) for at, value in points.items()}))
        before = points
    while counts and not any(value > hidden for value in counts[-1][1].values()):
        counts.pop()
    largest = max((value for _, points in counts for value in points.values() if math.isfinite(value)), default=0) or 1
    plot, shapes = height - 44, []
    each = plot / max(len(counts), 1)
    for place, (bound, points) in enumerate(counts):
        top = plot - (place + 1) * each
        shapes.append(element("text", f"{bound:g}", x=LEFT - 6, y=top + each / 2 + 4, text_anchor="end"))
        for at, value in points.items():
            if value > hidden:
                shapes.append(element("rect", x=LEFT + at / SECONDS * (width - LEFT - 12), y=top + 1, height=max(each - 2, 1),
                                      width=(width - LEFT - 12) / SECONDS + 0.5, fill="#ff780a",
                                      fill_opacity=0.15 + 0.85 * (value / largest) ** 0.5))
    return element("svg", "".join(shapes), width=width, height=plot + 8)


KINDS = {"timeseries": lines, "stat": number, "table": rows_of, "heatmap": heat}
STYLE = """body{background:#111217;color:#ccccdc;font:12px Inter,Helvetica,sans-serif;margin:0}
.p{position:absolute;background:#181b1f;border:1px solid #2c3235;border-radius:2px;overflow:hidden}
.p h3{font-size:13px;margin:7px 8px 5px;font-weight:500}.r{position:absolute;font-size:15px;font-weight:500}
.stat{font-size:30px;text-align:center;padding-top:22px}svg text{fill:#9fa7b3;font-size:11px}
table{width:100%;border-collapse:collapse}td,th{text-align:left;padding:1px 8px;white-space:nowrap;font-weight:400;height:16px}
th{color:#6e9fff}.n{text-align:right;width:70px}.bad{outline:3px solid red}"""


def overlaps(left, right):
    apart = lambda at, size: left[at] + left[size] <= right[at] or right[at] + right[size] <= left[at]
    return not apart("x", "w") and not apart("y", "h")


def page(dashboard):
    parts, bottom, panels = [], 0, dashboard["panels"]
    for panel in panels:
        grid = panel["gridPos"]
        left, top = grid["x"] * CELL + GAP, grid["y"] * ROW + 44
        width, height = grid["w"] * CELL - GAP, grid["h"] * ROW - GAP
        bottom = max(bottom, top + height)
        if panel["type"] == "row":
            parts.append(element("div", html.escape(panel["title"]), **{"class": "r"}, style=f"left:{left}px;top:{top + 6}px"))
            continue
        bad = grid["x"] + grid["w"] > 24 or any(one is not panel and overlaps(grid, one["gridPos"]) for one in panels)
        inside = element("h3", html.escape(panel["title"])) + KINDS[panel["type"]](panel, width, height)
        parts.append(element("div", inside, **{"class": "p bad" if bad else "p"},
                             style=f"left:{left}px;top:{top}px;width:{width}px;height:{height}px"))
    title = element("div", html.escape(dashboard["title"]), **{"class": "r"}, style="left:8px;top:10px;font-size:18px")
    return (f"<!doctype html><meta charset=utf-8><title>{html.escape(dashboard['title'])}</title><style>{STYLE}</style>"
            f'<div style="height:{bottom + GAP}px">{title}{"".join(parts)}</div>')


for path in sorted(pathlib.Path(DASHBOARDS).glob("*.json")):
    drawn = pathlib.Path(OUT) / f"{path.stem}.html"
    drawn.write_text(page(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    print(drawn)
