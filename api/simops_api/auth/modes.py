"""Which access an installation has: ``SIMOPS_AUTH_MODE``."""

import logging

from simops_api.auth.access import Access, OpenAccess
from simops_api.auth.asking import CallerReviews, OwnReviews, Reviewer, Reviews, SelfReviewer
from simops_api.auth.remembered import Times
from simops_api.auth.reviewed import FileIdentities, ReviewedAccess, ReviewedIdentities
from simops_api.auth.tokens import TokenFile
from simops_api.settings import Settings

log = logging.getLogger(__name__)


def access_for(settings: Settings, reviewer: Reviewer, callers: SelfReviewer) -> Access:
    """Return the access of the mode. The API server is asked by the gateway (``reviewer``) or by ``callers``, as the settings say.

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
            return ReviewedAccess(OwnReviews(reviewer), file, settings.namespaces, times)
        case "kubernetes":
            reviews: Reviews = OwnReviews(reviewer, settings.auth_audiences)
            if settings.auth_reviews == "caller":
                reviews = CallerReviews(callers)
            return ReviewedAccess(reviews, ReviewedIdentities(reviews, times), settings.namespaces, times)
