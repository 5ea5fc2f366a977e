"""YAML read strictly: `load` gives a tree of values with positions, `decode` turns it into frozen types."""

from hooptui.strictyaml.decode import (
    Between,
    Duration,
    Hidden,
    Matches,
    NotEmpty,
    OneOf,
    OneOrMany,
    Size,
    decode,
    duration,
    fields,
    is_record,
    size,
)
from hooptui.strictyaml.tree import MAX_BYTES, Node, Where, YamlError, load, nearest, quoted, read

__all__ = [
    "MAX_BYTES",
    "Between",
    "Duration",
    "Hidden",
    "Matches",
    "Node",
    "NotEmpty",
    "OneOf",
    "OneOrMany",
    "Size",
    "Where",
    "YamlError",
    "decode",
    "duration",
    "fields",
    "is_record",
    "load",
    "nearest",
    "quoted",
    "read",
    "size",
]
