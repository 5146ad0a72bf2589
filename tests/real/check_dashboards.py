#!/usr/bin/env python3
"""Says which fields of dashboards the types of Grafana's own SDK do not know.

  check_dashboards.py FOLDER

A dashboard is read into the SDK's types and written again: what is gone or different then is no field of
Grafana's, or stands where none is expected. Needs grafana-foundation-sdk; see requirements.txt.
"""

import json
import pathlib
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def differences(ours, theirs, path):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from differences(value, theirs[key], f"{path}.{key}")
            else:
                yield f"{path}.{key} is not known"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, pair in enumerate(zip(ours, theirs)):
            yield from differences(*pair, f"{path}[{place}]")
    elif ours != theirs:
        yield f"{path} is {ours!r}, read as {theirs!r}"


register_default_plugins()
wrong = []
files = sorted(pathlib.Path(sys.argv[1]).glob("*.json"))
for file in files:
    text = file.read_text(encoding="utf-8")
    # Read twice: the SDK takes apart what it is given.
    read = JSONEncoder().encode(Dashboard.from_json(json.loads(text)))
    wrong += differences(json.loads(text), json.loads(read), file.name)
print("\n".join(wrong) or f"{len(files)} dashboards, every field known")
sys.exit(1 if wrong or not files else 0)
