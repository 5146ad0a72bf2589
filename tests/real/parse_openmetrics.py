"""Parses a page from stdin with the reference parser and prints its samples, one a line, as JSON.

    curl -H 'Accept: application/openmetrics-text' ... | parse_openmetrics.py
    curl ... | parse_openmetrics.py --classic

Exits with 1 and the parser's message if the page is not what it should be.
"""

import io
import json
import sys

from prometheus_client import openmetrics, parser
import prometheus_client.openmetrics.parser


def main():
    parse = openmetrics.parser.text_string_to_metric_families
    if sys.argv[1:] == ["--classic"]:
        parse = parser.text_string_to_metric_families
    page = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="\n").read()
    try:
        families = list(parse(page))
    except ValueError as error:
        print(f"parse_openmetrics: {error}", file=sys.stderr)
        return 1
    for family in families:
        for sample in family.samples:
            exemplar = sample.exemplar
            print(json.dumps({
                "family": family.name,
                "type": family.type,
                "unit": family.unit,
                "name": sample.name,
                "labels": sample.labels,
                "value": sample.value,
                "exemplar": exemplar and {"labels": exemplar.labels, "value": exemplar.value},
            }, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
