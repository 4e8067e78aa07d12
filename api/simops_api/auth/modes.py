"""Which access an installation has: ``SIMOPS_AUTH_MODE``."""

import logging

from simops_api.auth.access import Access, OpenAccess
from simops_api.auth.remembered import Times
from simops_api.auth.reviewed import FileIdentities, ReviewedAccess, ReviewedIdentities, Reviewer
from simops_api.auth.tokens import TokenFile
from simops_api.settings import Settings

log = logging.getLogger(__name__)


def access_for(settings: Settings, reviewer: Reviewer) -> Access:
    """Return the access of the mode.

    Raises:
        TokenFileError: the file of static tokens cannot be used.
    """
    times = Times(settings.auth_cache_seconds, settings.auth_stale_seconds)
    match settings.auth_mode:
        case "none":
            log.warning(
                "SIMOPS_AUTH_MODE is none: NOBODY IS ASKED WHO THEY ARE. Everyone who reaches this gateway may read, run and cancel "
                "everything in %s.",
                ", ".join(settings.namespaces),
            )
            return OpenAccess(settings.namespaces)
        case "static":
            file = FileIdentities(TokenFile(settings.static_tokens))
            return ReviewedAccess(reviewer, file, settings.namespaces, times)
        case "kubernetes":
            tokens = ReviewedIdentities(reviewer, settings.auth_audiences, times)
            return ReviewedAccess(reviewer, tokens, settings.namespaces, times)
