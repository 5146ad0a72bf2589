"""Grafana's dashboard JSON, as far as these dashboards need it: panels, rows, variables, the grid.

Field names are those of the dashboard schema (grafana.com/docs, "JSON model"; the types of
grafana-foundation-sdk). What the dashboards show is in the files beside this one.
"""

# The first version whose fields are all used here; Grafana 10.4 and later read it.
SCHEMA_VERSION = 39
GRID = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def query(expr, legend="", *, instant=False, format="time_series", exemplar=False):
    """One query of a panel; its refId comes from its place in the panel."""
    target = {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": expr,
        "format": format,
        "instant": instant,
        "legendFormat": legend or "__auto",
        "range": not instant,
    }
    if exemplar:
        target["exemplar"] = True
    return target


def _panel(kind, title, description, queries, width, height, defaults, options, **more):
    for place, target in enumerate(queries):
        target["refId"] = chr(ord("A") + place)
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "gridPos": {"h": height, "w": width, "x": 0, "y": 0},
        "fieldConfig": {"defaults": defaults, "overrides": more.pop("overrides", [])},
        "options": options,
        "targets": queries,
        **more,
    }


def steps(*limits):
    """Green, and another colour from each limit on: `(0.7, "orange")`."""
    first = [{"color": "green", "value": None}]
    return {"mode": "absolute", "steps": first + [{"color": color, "value": value} for value, color in limits]}


def timeseries(title, unit, queries, description="", *, width=12, height=8, stack=False, maximum=None):
    """Lines over time."""
    custom = {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 40 if stack else 10,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stack else "none"},
    }
    defaults = {"unit": unit, "min": 0, "color": {"mode": "palette-classic"}, "custom": custom}
    if maximum is not None:
        defaults["max"] = maximum
    options = {
        "legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, description, queries, width, height, defaults, options)


def stat(title, unit, expr, description="", *, width=4, height=4, thresholds=None, decimals=None, graph=True, text=None):
    """One large number. `text` shows this label in place of the number."""
    defaults = {"unit": unit, "color": {"mode": "thresholds"}, "thresholds": thresholds or steps(), "noValue": "–"}
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {
        "colorMode": "value",
        "graphMode": "area" if graph else "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "name" if text else "value",
    }
    target = query(expr, "{{%s}}" % text if text else "", instant=not graph)
    return _panel("stat", title, description, [target], width, height, defaults, options)


def heatmap(title, unit, expr, description="", *, width=12, height=9):
    """A histogram's buckets over time; `expr` is by `le`."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {"exponent": 0.5, "fill": "dark-orange", "mode": "scheme", "reverse": False, "scale": "exponential",
                  "scheme": "Oranges", "steps": 64},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }
    target = query(expr, "{{le}}", format="heatmap")
    defaults = {"custom": {"hideFrom": {"legend": False, "tooltip": False, "viz": False}}}
    return _panel("heatmap", title, description, [target], width, height, defaults, options)


def table(title, columns, labels, description="", *, width=24, height=8):
    """One row for each set of `labels` (label, heading); a column for each `(heading, unit, expr)`."""
    queries = [query(expr, instant=True, format="table") for _, _, expr in columns]
    names = ["Value"] if len(columns) == 1 else [f"Value #{chr(ord('A') + place)}" for place in range(len(columns))]
    headings = dict(labels) | {name: heading for name, (heading, _, _) in zip(names, columns)}
    transformations = [] if len(columns) == 1 else [{"id": "merge", "options": {}}]
    transformations.append({
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True},
            "indexByName": {name: place for place, name in enumerate(headings)},
            "renameByName": headings,
        },
    })
    overrides = [
        {"matcher": {"id": "byName", "options": heading}, "properties": [{"id": "unit", "value": unit}]}
        for heading, unit, _ in columns
    ]
    options = {"cellHeight": "sm", "showHeader": True,
               "sortBy": [{"desc": True, "displayName": columns[0][0]}]}
    defaults = {"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}}
    return _panel("table", title, description, queries, width, height, defaults, options,
                  overrides=overrides, transformations=transformations)


def datasource_variable():
    return {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "refresh": 1,
            "regex": "", "hide": 0, "includeAll": False, "multi": False, "current": {}, "options": [],
            "skipUrlSync": False}


def label_variable(name, label, selector, of, *, everything=True):
    """The values of the label `of` in `selector`; all, one or several may be chosen.

    All is `.*`, also for what has no such label; or, if not `everything`, each value that was found.
    """
    definition = f"label_values({selector}, {of})"
    variable = {
        "type": "query", "name": name, "label": label, "datasource": DATASOURCE,
        "query": {"qryType": 1, "query": definition, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2, "regex": "", "sort": 1, "hide": 0, "multi": True, "includeAll": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]}, "options": [], "skipUrlSync": False,
    }
    return variable | ({"allValue": ".*"} if everything else {})


def choice_variable(name, label, choices, default):
    """One of `choices`, (text, value); another value can be typed in."""
    option = lambda text, value: {"selected": text == default, "text": text, "value": value}
    options = [option(text, value) for text, value in choices]
    return {
        "type": "custom", "name": name, "label": label, "hide": 0, "multi": False, "includeAll": False,
        "query": ",".join(f"{text} : {value}" for text, value in choices),
        "current": next(entry for entry in options if entry["selected"]), "options": options, "skipUrlSync": False,
    }


def dashboard(uid, title, description, variables, rows):
    """`rows` are (title, panels); panels stand side by side until a row of the grid is full."""
    panels, y = [], 0
    for heading, members in rows:
        panels.append({"type": "row", "title": heading, "collapsed": False, "panels": [],
                       "gridPos": {"h": 1, "w": GRID, "x": 0, "y": y}})
        y += 1
        x = line = 0
        for panel in members:
            grid = panel["gridPos"]
            if x + grid["w"] > GRID:
                x, y, line = 0, y + line, 0
            grid["x"], grid["y"] = x, y
            x, line = x + grid["w"], max(line, grid["h"])
            panels.append(panel)
        y += line
    for number, panel in enumerate(panels, start=1):
        panel["id"] = number
    return {
        "uid": uid, "title": title, "description": description, "tags": ["dragoman"], "schemaVersion": SCHEMA_VERSION,
        "editable": True, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"}, "timepicker": {}, "version": 1, "fiscalYearStartMonth": 0,
        "weekStart": "", "annotations": {"list": []},
        "links": [{"type": "dashboards", "title": "Dragoman", "tags": ["dragoman"], "asDropdown": True,
                   "includeVars": False, "keepTime": True, "targetBlank": False, "icon": "external link",
                   "tooltip": "", "url": ""}],
        "templating": {"list": variables}, "panels": panels,
    }
