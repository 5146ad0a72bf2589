"""Parses a page from stdin with the reference parser and prints its samples, one a line, as JSON.

    curl -H 'Accept: application/openmetrics-text' ... | parse_openmetrics.py
    curl ... | parse_openmetrics.py --classic

With names of files, each of them is read instead, and each sample says which one it is from. A file
whose name ends in .om is taken to be OpenMetrics, any other to be classic text.

Exits with 1 and the parser's message if a page is not what it should be.
"""

import io
import json
import math
import os
import sys

from prometheus_client import openmetrics, parser
import prometheus_client.openmetrics.parser


def samples(page, parse, file=None):
    for family in parse(page):
        for sample in family.samples:
            exemplar = sample.exemplar
            found = {
                "family": family.name,
                "type": family.type,
                "unit": family.unit,
                "name": sample.name,
                "labels": sample.labels,
                # NaN and the infinities are not JSON's.
                "value": sample.value if math.isfinite(sample.value) else str(sample.value),
                "exemplar": exemplar and {"labels": exemplar.labels, "value": exemplar.value},
            }
            yield found if file is None else {**found, "file": file}


def read(stream, parse, file=None):
    """Prints a page's samples, or why it is none; returns whether it is one."""
    page = io.TextIOWrapper(stream, encoding="utf-8", newline="\n").read()
    try:
        found = list(samples(page, parse, file))
    except (ValueError, KeyError, IndexError) as error:
        print(f"parse_openmetrics: {file or 'stdin'}: {error!r}", file=sys.stderr)
        return False
    for sample in found:
        print(json.dumps(sample, sort_keys=True))
    return True


def main():
    parsers = {
        True: openmetrics.parser.text_string_to_metric_families,
        False: parser.text_string_to_metric_families,
    }
    if sys.argv[1:] in ([], ["--classic"]):
        return 0 if read(sys.stdin.buffer, parsers[not sys.argv[1:]]) else 1
    bad = 0
    for name in sys.argv[1:]:
        with open(name, "rb") as stream:
            bad += not read(stream, parsers[name.endswith(".om")], os.path.basename(name))
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
