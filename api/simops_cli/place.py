"""From what was said to the place where runs are: a gateway or a cluster."""

from simops_cli import settings
from simops_cli.core.inputs import InputError
from simops_cli.ports import Backend
from simops_cli.settings import Options


def opened(options: Options) -> Backend:
    """Return the place. Nothing is asked of it yet.

    Raises:
        InputError: there is none.
    """
    target = settings.target(options, settings.load(settings.path()))
    if target.server is None:
        from simops_cli.direct import Direct  # noqa: PLC0415 - slow to load, and not needed with a gateway

        return Direct(kubeconfig=options.kubeconfig, context=options.context, namespace=target.namespace)
    from simops_cli.gateway import Gateway  # noqa: PLC0415 - as above

    try:
        return Gateway(target.server, target.token, namespace=target.namespace, verify=target.ca or True)
    except (ValueError, OSError) as error:
        raise InputError(str(error)) from error
