"""YAML as Kubernetes reads it: the rules of Go's YAML 1.1 (sigs.k8s.io/yaml), which are not those of PyYAML.

`22:00` and a date are texts, `0o644` is a number, as is `1e3`, and no key is there twice.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"
_MAYBE_NUMBER = f"{_TAG}kubeop-number"
_OTHER = frozenset(f"{_TAG}{name}" for name in ("int", "float", "timestamp", "value"))  # PyYAML's, that differ
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGERS = (  # in the order in which Go looks at the first characters
    (re.compile(r"[-+]?0[bB][01]+"), 2),
    (re.compile(r"[-+]?0[oO][0-7]+"), 8),
    (re.compile(r"[-+]?0[xX][0-9a-fA-F]+"), 16),
    (re.compile(r"[-+]?0[0-7]*"), 8),
    (re.compile(r"[-+]?[1-9][0-9]*"), 10),
)
_WHOLE = 1e21  # a float without a fraction is written as an integer in Go's JSON below this


def number(text: str) -> int | float | str:
    """The number that a plain scalar is, or the text itself."""
    plain = text if text[:1] == "." else text.replace("_", "")
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(plain) and -(2**63) <= (value := int(plain, base)) < 2**64:
            return value
    if not _FLOAT.fullmatch(plain) or math.isinf(found := float(plain)):
        return text
    return int(found) if found.is_integer() and abs(found) < _WHOLE else found


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """For `yaml.load_all`."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping. PyYAML would take the last of two values and lose the first."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != f"{_TAG}merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} is there twice", key.start_mark
                    )
                seen.add(key.value)
        return dict(super().construct_mapping(node, deep))

    def construct_number(self, node: yaml.ScalarNode) -> int | float | str:
        """What begins as a number."""
        return number(str(node.value))

    def construct_tagged(self, node: yaml.ScalarNode) -> int | float:
        """What is said to be a number, or looks like one that JSON cannot hold."""
        found = number(str(node.value))
        if isinstance(found, str):
            raise yaml.constructor.ConstructorError(None, None, f"JSON has no number {found!r}", node.start_mark)
        return found

    def construct_bytes(self, node: yaml.ScalarNode) -> str:
        """Base64, read as the text that it holds."""
        try:
            return bytes(self.construct_yaml_binary(node)).decode()
        except UnicodeDecodeError:
            raise yaml.constructor.ConstructorError(None, None, "!!binary is no UTF-8", node.start_mark) from None


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OTHER]
    for first, resolvers in Loader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(_MAYBE_NUMBER, re.compile(r"[-+]?\.?[0-9][-+.\w]*$", re.ASCII), list("-+.0123456789"))
Loader.add_implicit_resolver(f"{_TAG}float", re.compile(r"(?i:[-+]?\.inf|\.nan)$"), list("-+."))
Loader.add_constructor(_MAYBE_NUMBER, Loader.construct_number)
for _name, _constructor in {
    "int": Loader.construct_tagged,
    "float": Loader.construct_tagged,
    "binary": Loader.construct_bytes,
    "timestamp": Loader.construct_yaml_str,
}.items():
    Loader.add_constructor(f"{_TAG}{_name}", _constructor)
