"""Of which namespaces a caller is shown many objects at once."""

from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.errors import ProblemError, mistake
from simops_crds.kinds import Kind


async def scope_of(
    access: Access, caller: Caller, kind: Kind, namespace: str | None, served: tuple[str, ...]
) -> frozenset[str]:
    """Return the namespaces of which a caller may list a kind, at most the one that is asked for.

    Raises:
        ProblemError: 403 none is permitted; 422 the one that is asked for is not served.
    """
    if namespace is None:
        return await access.namespaces(caller, Verb.LIST, kind)
    if namespace not in served:
        raise mistake("namespace", f"is not served here; served: {', '.join(served)}", "query")
    await access.require(caller, Verb.LIST, kind, namespace)
    return frozenset({namespace})


async def scopes_of(
    access: Access, caller: Caller, kinds: tuple[Kind, ...], namespace: str | None, served: tuple[str, ...]
) -> list[frozenset[str]]:
    """Return for each kind the namespaces of which a caller may list it; who may list one kind alone is shown that one.

    Raises:
        ProblemError: 403 neither is permitted; 422 the namespace that is asked for is not served.
    """
    scopes: list[frozenset[str]] = []
    refusal: ProblemError | None = None
    for kind in kinds:
        try:
            scopes.append(await scope_of(access, caller, kind, namespace, served))
        except ProblemError as error:
            if error.status != 403:
                raise
            refusal = refusal or error
            scopes.append(frozenset())
    if refusal is not None and not any(scopes):
        raise refusal
    return scopes
