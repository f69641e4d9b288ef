"""The JSON schema of job files: editors complete keys with it and mark mistakes while typing."""

from typing import Any

from autofix.jobs.schema import Settings

SHORTHANDS: dict[str, dict[str, Any]] = {
    "Model": {"type": "string"},
    "Training": {"type": "string"},
    "HeldOut": {"type": ["string", "number"]},
    "Data": {"type": "string"},
    "Features": {"type": "array", "items": {"type": "string"}},
}
"""What may be written in place of a section."""

MATRIX = {
    "type": ["object", "null"],
    "description": "A job for each combination of these values: {fit.epochs: [10, 20], seed: [0, 1, 2]}.",
    "additionalProperties": {"type": "array", "minItems": 1},
}


def editor_schema() -> dict[str, Any]:
    """The schema of a job file as it is written: with shorthands, defaults and products.

    Nothing is required of a job, because the defaults may have it.

    Example:

    >>> sorted(editor_schema()["properties"])
    ['defaults', 'jobs', 'version']
    """
    job = Settings.model_json_schema()
    sections: dict[str, Any] = job.pop("$defs")
    job["title"] = "Job"
    job["properties"]["matrix"] = MATRIX
    for section in (job, *sections.values()):
        section.pop("required", None)
        for name, field in section.get("properties", {}).items():
            section["properties"][name] = _or_null(field)
    target = sections["Data"]["properties"]["target"]
    target["anyOf"].append({"type": "string"})
    for name, shorthand in SHORTHANDS.items():
        sections[name] = {"anyOf": [shorthand, sections[name]]}
    sections["Job"] = job
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "autofix job file",
        "type": "object",
        "required": ["version", "jobs"],
        "additionalProperties": False,
        "patternProperties": {"^x-": {"description": "Not read: a place for anchors."}},
        "properties": {
            "version": {"const": 1},
            "defaults": _or_null({"$ref": "#/$defs/Job"}),
            "jobs": {"type": "object", "minProperties": 1, "additionalProperties": _or_null({"$ref": "#/$defs/Job"})},
        },
        "$defs": sections,
    }


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field that may also be left empty."""
    kept: dict[str, Any] = {key: field[key] for key in ("description", "default", "title") if key in field}
    inner = {key: value for key, value in field.items() if key not in kept}
    choices = inner["anyOf"] if list(inner) == ["anyOf"] else [inner]
    return {**kept, "anyOf": [*choices, *([] if {"type": "null"} in choices else [{"type": "null"}])]}
