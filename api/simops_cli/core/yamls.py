"""YAML as Kubernetes' tools read it: numbers by version 1.2 of YAML, and no dates."""

import re
from typing import Any

import yaml

_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_FLOAT_TAG, _TIME_TAG = "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which knows version 1.1 alone: there ``1e-3`` is text."""


_without: Any = {
    first: [pair for pair in pairs if pair[0] not in (_FLOAT_TAG, _TIME_TAG)]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.yaml_implicit_resolvers = _without
Loader.add_implicit_resolver(_FLOAT_TAG, re.compile(f"(?:{_FLOAT.pattern})$"), list("-+0123456789."))
