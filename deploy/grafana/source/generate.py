#!/usr/bin/env python3
"""Writes ../dashboards/*.json from the files beside this one.

  generate.py           writes
  generate.py --check   says which file is not what would be written, and exits with 1

Needs Python 3.9 and nothing else.
"""

import json
import pathlib
import sys

sys.dont_write_bytecode = True

import dragoman
import genai
import llama_stack

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "dashboards"
DASHBOARDS = {"genai.json": genai, "llama-stack.json": llama_stack, "dragoman.json": dragoman}


def main():
    check = sys.argv[1:] == ["--check"]
    wrong = []
    for name, source in DASHBOARDS.items():
        path, text = FOLDER / name, json.dumps(source.build(), indent=1, ensure_ascii=False) + "\n"
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            wrong.append(path)
    wrong += [path for path in FOLDER.glob("*.json") if path.name not in DASHBOARDS]
    for path in wrong:
        print(f"{path} is not what source/generate.py writes; run it", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
