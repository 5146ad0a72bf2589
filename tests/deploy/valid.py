"""Says what is wrong with documents by schemas that others wrote.

    valid.py kubernetes VERSION FILE     manifests, strictly: an unknown field is wrong
    valid.py definition CRD FILE         objects of the kind that a CustomResourceDefinition describes
    valid.py cyclonedx FILE              a list of components, CycloneDX 1.5 as JSON

FILE is `-` for standard input. Ends with 1 if anything is wrong, and with a line for each document otherwise.
"""

import json
import sys

import yaml


def read(name):
    if name == "-":
        return sys.stdin.read()
    with open(name, encoding="utf-8") as file:
        return file.read()


def documents(name):
    return [document for document in yaml.safe_load_all(read(name)) if document]


def kubernetes(version, name):
    import kubernetes_validate

    for document in documents(name):
        what = f"{document['kind']} {document['metadata']['name']}"
        if "." in document["apiVersion"].split("/")[0] and "k8s.io" not in document["apiVersion"]:
            print(f"{what}: of somebody else's kind, not looked at")
            continue
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except (
            kubernetes_validate.ValidationError,
            kubernetes_validate.SchemaNotFoundError,
            kubernetes_validate.InvalidSchemaError,
        ) as error:
            yield f"{what}: {error}"
        else:
            print(f"{what}: valid in Kubernetes {version}")


def closed(schema):
    """The schema with which an unknown field is wrong, as the API server has it in its strict mode."""
    if isinstance(schema, dict):
        is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
        schema = {key: closed(value) for key, value in schema.items()}
        if "properties" in schema and not is_open:
            schema["additionalProperties"] = False
        return schema
    return [closed(item) for item in schema] if isinstance(schema, list) else schema


def definition(crd, name):
    import jsonschema

    spec = documents(crd)[0]["spec"]
    looked_at = 0
    for document in documents(name):
        group, _, version = document["apiVersion"].rpartition("/")
        if (group, document["kind"]) != (spec["group"], spec["names"]["kind"]):
            continue
        looked_at += 1
        schema = next(known["schema"]["openAPIV3Schema"] for known in spec["versions"] if known["name"] == version)
        schema = closed(schema)
        schema["properties"]["metadata"] = {"type": "object"}
        for error in jsonschema.Draft7Validator(schema).iter_errors(document):
            yield f"{document['kind']} {document['metadata']['name']}: {error.json_path}: {error.message}"
        print(f"{document['kind']} {document['metadata']['name']}: looked at")
    if not looked_at:
        yield f"{name} has no {spec['names']['kind']}"


def cyclonedx(name):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = read(name)
    error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    if error:
        yield str(error)
    print(f"{len(json.loads(text)['components'])} components")


CHECKS = {"kubernetes": kubernetes, "definition": definition, "cyclonedx": cyclonedx}

wrong = list(CHECKS[sys.argv[1]](*sys.argv[2:]))
for line in wrong:
    print(line, file=sys.stderr)
sys.exit(bool(wrong))
