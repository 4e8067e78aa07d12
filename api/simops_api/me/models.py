"""Who calls, as it is answered."""

from pydantic import BaseModel, ConfigDict, JsonValue


class KindRights(BaseModel):
    """What somebody may do with the objects of a kind in a namespace."""

    get: bool
    list: bool
    create: bool
    patch: bool
    """Cancel, run again."""


class NamespaceRights(BaseModel):
    """What somebody may do in a namespace."""

    namespace: str
    jobs: KindRights
    sweeps: KindRights


_ALL: dict[str, JsonValue] = {"get": True, "list": True, "create": True, "patch": True}
_EXAMPLE: dict[str, JsonValue] = {
    "name": "system:serviceaccount:default:simops-demo",
    "anonymous": False,
    "namespaces": [{"namespace": "default", "jobs": _ALL, "sweeps": _ALL}],
}


class Me(BaseModel):
    """Who calls, and what they may do."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str
    """Their name in the cluster."""
    anonymous: bool
    """Whether the gateway asks nobody who they are."""
    namespaces: list[NamespaceRights]
    """Those of the served ones in which they may do something."""
