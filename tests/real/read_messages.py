"""Reads translated attributes with the models that Phoenix has of the conventions' JSON schemas.

Input: a JSON object a line, {"where", "key", "value"}; the value is the attribute's text. Prints a
line for each value that a model refuses, and at last how many of each key were read.

The schemas let anything with a `type` pass as a generic part or tool: what has the type of a part
or tool of its own has to be of that one.
"""

import collections
import json
import sys
import typing

from phoenix.trace.gen_ai.__generated__ import models
from pydantic import BaseModel, ValidationError

MODELS = {
    "gen_ai.input.messages": models.InputMessages,
    "gen_ai.output.messages": models.OutputMessages,
    "gen_ai.system_instructions": models.SystemInstructions,
    "gen_ai.tool.definitions": models.ToolDefinitions,
    "gen_ai.retrieval.documents": models.RetrievalDocuments,
}
GENERIC = (models.GenericPart, models.GenericToolDefinition)


def own_types():
    """What the schemas have a part or a tool of its own for."""
    for model in vars(models).values():
        if isinstance(model, type) and issubclass(model, BaseModel) and "type" in model.model_fields:
            yield from typing.get_args(model.model_fields["type"].annotation)


OWN = {name for name in own_types() if isinstance(name, str)}
assert {"text", "tool_call", "tool_call_response", "reasoning", "function"} <= OWN, OWN


def objects(value):
    """Every item of the list, and every part of a message."""
    for item in value.root:
        yield item
        yield from getattr(item, "parts", [])


def problem(key, value):
    """Why a value is not of its schema."""
    try:
        found = MODELS[key].model_validate_json(value)
    except ValidationError as error:
        return str(error)
    shapeless = [item.type for item in objects(found) if isinstance(item, GENERIC) and item.type in OWN]
    return f"not of the shape of its type: {shapeless}" if shapeless else None


read = collections.Counter()
for line in sys.stdin:
    given = json.loads(line)
    if why := problem(given["key"], given["value"]):
        print(given["where"], given["key"], " ".join(why.split()), given["value"])
    read[given["key"]] += 1
print(json.dumps(read))
