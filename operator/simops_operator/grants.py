"""Keys of the embedded store for each namespace of simulations: they open the namespace's part of the bucket and nothing else.

Whoever may read Secrets in such a namespace has them, and could with better ones read and change what other namespaces have. The chart draws the keys;
here they are made known to MinIO, as users of their own with a policy each. Not as service accounts: of one and the same user each may list and delete
the others, whatever its policy denies.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minio import MinioAdmin
from minio.error import MinioAdminException

_POLICY = "simops-"
_PARTS = ("jobs", "sweeps")
_OBJECTS = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]


@dataclass(frozen=True)
class Grant:
    """The keys of one namespace."""

    namespace: str
    access: str
    secret: str


def _of_the_operator(namespace: str) -> list[str]:
    """Return what the operator alone writes below these prefixes: what it tells of runs, and what it goes by."""
    # A round's file is named by its number; what Pods leave lies deeper, and its shortest name is longer than these.
    rounds = (f"rounds/{'?' * digits}.json" for digits in range(1, 7))
    books = ("record.json", "ledger.json", "state.json", "cancelled.json", "points/*", "table/*", *rounds)
    return [
        f"jobs/{namespace}/*/record.json",
        f"jobs/{namespace}/*.log",
        *(f"sweeps/{namespace}/*/{name}" for name in books),
    ]


def policy_of(bucket: str, namespace: str) -> dict[str, Any]:
    """Return what the bundle containers of a namespace may do: put and read below its prefixes (IAM policy language).

    Not list: MinIO believes a header of the request about the prefix that a condition asks for, so one namespace could list all others.
    """
    places = [f"{part}/{namespace}/*" for part in _PARTS]
    arn = f"arn:aws:s3:::{bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": _OBJECTS, "Resource": [f"{arn}/{place}" for place in places]},
            {
                "Effect": "Deny",
                "Action": ["s3:PutObject"],
                "Resource": [f"{arn}/{key}" for key in _of_the_operator(namespace)],
            },
            # A user needs nothing of the administration, not even keys of its own.
            {"Effect": "Deny", "Action": ["admin:*"]},
        ],
    }


def grants_in(folder: Path) -> Iterator[Grant]:
    """Yield the keys in a folder with the files ``<namespace>.access-key`` and ``<namespace>.secret-key``."""
    for access in sorted(folder.glob("*.access-key")):
        namespace = access.name.removesuffix(".access-key")
        secret = access.with_name(f"{namespace}.secret-key")
        yield Grant(namespace, access.read_text().strip(), secret.read_text().strip())


def make_known(admin: MinioAdmin, bucket: str, grant: Grant) -> None:
    """Let MinIO know the keys of a namespace; to repeat it changes nothing.

    Raises:
        MinioAdminException, urllib3.exceptions.HTTPError: MinIO did not do it.
    """
    _forget_service_account(admin, grant.access)
    name = f"{_POLICY}{grant.namespace}"
    admin.policy_add(name, policy=policy_of(bucket, grant.namespace))
    admin.user_add(grant.access, grant.secret)
    admin.policy_set(name, user=grant.access)


def forget_others(admin: MinioAdmin, grants: Iterable[Grant]) -> None:
    """Remove the keys of namespaces that are not served any more, and those that were drawn anew.

    Raises:
        MinioAdminException, urllib3.exceptions.HTTPError: MinIO did not do it.
    """
    wanted = {grant.access for grant in grants}
    for access, user in json.loads(admin.user_list()).items():
        if access not in wanted and str(user.get("policyName", "")).startswith(_POLICY):
            admin.user_remove(access)


def _forget_service_account(admin: MinioAdmin, access: str) -> None:
    """Remove what earlier versions have made of these keys: a user cannot have the name of a service account."""
    try:
        admin.get_service_account(access)
    except MinioAdminException:
        return
    admin.delete_service_account(access)
