"""Reads translated attributes with the models that Phoenix has of the conventions' JSON schemas.

Input: a JSON object a line, {"where", "key", "value"}; the value is the attribute's text. Prints a
line for each value that a model refuses, and at last how many of each key were read.
"""

import collections
import json
import sys

from phoenix.trace.gen_ai.__generated__ import models
from pydantic import ValidationError

MODELS = {
    "gen_ai.input.messages": models.InputMessages,
    "gen_ai.output.messages": models.OutputMessages,
    "gen_ai.system_instructions": models.SystemInstructions,
    "gen_ai.tool.definitions": models.ToolDefinitions,
    "gen_ai.retrieval.documents": models.RetrievalDocuments,
}

read = collections.Counter()
for line in sys.stdin:
    given = json.loads(line)
    try:
        MODELS[given["key"]].model_validate_json(given["value"])
    except ValidationError as error:
        print(given["where"], given["key"], " ".join(str(error).split()), given["value"])
    read[given["key"]] += 1
print(json.dumps(read))
