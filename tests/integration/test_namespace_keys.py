"""The keys of one namespace store and find what its Pods leave, and open nothing of another namespace. With a real MinIO."""

import base64
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote, urlencode

import pytest
import urllib3
from integration.servers import ACCESS, SECRET, Server
from integration.sidecar import Sidecar
from minio import Minio, MinioAdmin, S3Error, select
from minio.credentials.providers import StaticProvider
from minio.datatypes import Part
from minio.error import MinioAdminException
from urllib3 import HTTPHeaderDict

from simops_operator.grants import Grant, forget_others, make_known, policy_of

LAB, OTHER = (
    Grant("lab", "lab-keys-0123", "lab-secret-0123456789"),
    Grant("other", "other-keys-0123", "other-secret-456789"),
)

pytestmark = pytest.mark.store


def admin(store: Server) -> MinioAdmin:
    return MinioAdmin(endpoint=f"127.0.0.1:{store.port}", credentials=StaticProvider(ACCESS, SECRET), secure=False)


def client(store: Server, grant: Grant) -> Minio:
    return Minio(
        f"127.0.0.1:{store.port}", access_key=grant.access, secret_key=grant.secret, secure=False, region="us-east-1"
    )


Form = dict[str, str | bytes | tuple[str, str | bytes] | tuple[str, str | bytes, str]]


@pytest.fixture
def known(minio_store: Server) -> Server:
    for grant in (LAB, OTHER):
        make_known(admin(minio_store), minio_store.bucket, grant)
    return minio_store


def put(store: Server, grant: Grant, key: str) -> None:
    client(store, grant).put_object(store.bucket, key, io.BytesIO(b"x"), 1)


@pytest.mark.parametrize("part", ["jobs", "sweeps"])
def test_they_open_their_own_part(known: Server, part: str) -> None:
    put(known, LAB, f"{part}/lab/a/b")
    assert client(known, LAB).get_object(known.bucket, f"{part}/lab/a/b").data == b"x"
    with pytest.raises(S3Error) as error:
        client(known, LAB).stat_object(known.bucket, f"{part}/lab/a/none")
    assert error.value.code == "NoSuchKey"


@pytest.mark.parametrize(
    "key",
    [
        "jobs/other/a/b",
        "sweeps/other/a/b",
        "jobs/lab2/a",
        "archive/lab/0/a/b",
        "uploads/lab/d",
        "jobs/lab/../other/a/b",
        "x",
    ],
)
def test_they_neither_read_nor_write_anything_else(known: Server, key: str) -> None:
    known.client.put_object(known.bucket, "jobs/other/a/b", io.BytesIO(b"theirs"), 6)
    limited = client(known, LAB)
    for call in (
        lambda: put(known, LAB, key),
        lambda: limited.get_object(known.bucket, key),
        lambda: limited.remove_object(known.bucket, key),
    ):
        with pytest.raises((S3Error, ValueError)) as error:
            call()
        assert not isinstance(error.value, S3Error) or error.value.code in ("AccessDenied", "XMinioInvalidObjectName")
    assert known.get("jobs/other/a/b") == b"theirs"


def unsigned(data: bytes, names: tuple[str, ...] = ()) -> tuple[bytes, dict[str, str]]:
    """Return the body and headers of an upload with an unsigned trailer; with names: of an archive that is to be unpacked."""
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": str(len(data)),
        "x-amz-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    if names:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        return packed.getvalue(), headers | {
            "x-amz-decoded-content-length": str(len(packed.getvalue())),
        }
    checksum = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    return b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(data), data, checksum.encode()), headers


@pytest.mark.parametrize("access", [ACCESS, OTHER.access])
@pytest.mark.parametrize("place", ["query", "header", "archive", "archive, said twice"])
def test_who_knows_the_name_of_a_key_but_not_its_secret_writes_nothing(known: Server, access: str, place: str) -> None:
    body, headers = unsigned(b"forged", (f"jobs/other/a/forged-{place}",) if place.startswith("archive") else ())
    day = headers["x-amz-date"][:8]
    credential = f"{access}/{day}/us-east-1/s3/aws4_request"
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": credential,
        "X-Amz-Date": headers["x-amz-date"],
        "X-Amz-Expires": "600",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
    }
    signed = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    address = f"{known.endpoint}/{known.bucket}/{quote(f'jobs/other/a/forged-{place}')}"
    if place == "query":
        address += f"?{urlencode(query)}"
    else:
        headers["Authorization"] = signed
    sent = HTTPHeaderDict(headers)
    if place == "archive, said twice":
        sent.add("X-Amz-Meta-Snowball-Auto-Extract", "")
    if place.startswith("archive"):
        sent.add("X-Amz-Meta-Snowball-Auto-Extract", "true", combine=False)
    answer = urllib3.PoolManager(retries=False).request("PUT", address, body=body, headers=sent)
    assert answer.status in (400, 403), answer.data
    assert not [one.object_name for one in known.client.list_objects(known.bucket, f"jobs/other/a/forged-{place}")]


@pytest.mark.parametrize(
    "key",
    [
        "jobs/lab/a/u/record.json",
        "jobs/lab/a/u/p.log",
        "sweeps/lab/a/u/ledger.json",
        "sweeps/lab/a/u/table/0.jsonl",
        "sweeps/lab/a/u/rounds/0.json",
        "sweeps/lab/a/u/rounds/123456.json",
    ],
)
def test_they_do_not_write_what_the_operator_tells_of_runs(known: Server, key: str) -> None:
    with pytest.raises(S3Error) as error:
        put(known, LAB, key)
    assert error.value.code == "AccessDenied"
    for own in ("jobs/lab/a/u/p.json", "jobs/lab/a/u/p.zip", "sweeps/lab/a/u/rounds/0/0/a-00000000-r0-0-x.json"):
        put(known, LAB, own)


@pytest.mark.parametrize("headers", [{}, {"Prefix": "jobs/lab/"}], ids=["plain", "with a header that MinIO believes"])
@pytest.mark.parametrize("prefix", ["", "jobs/", "jobs/lab/", "jobs/other/", "archive/"])
def test_they_list_nothing(known: Server, prefix: str, headers: dict[str, str | list[str] | tuple[str]]) -> None:
    with pytest.raises(S3Error) as error:
        list(client(known, LAB).list_objects(known.bucket, prefix, recursive=True, extra_headers=headers))
    assert error.value.code == "AccessDenied"


def test_the_store_unpacks_nothing(known: Server) -> None:
    limited = client(known, LAB)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inner.csv", "a\n1\n")
    content = packed.getvalue()
    limited.put_object(known.bucket, "jobs/lab/packed/u/p.zip", io.BytesIO(content), len(content))
    output = select.SelectRequest(
        "SELECT count(*) FROM S3Object s", select.CSVInputSerialization(), select.CSVOutputSerialization()
    )
    with pytest.raises(S3Error) as error:
        limited.select_object_content(known.bucket, "jobs/lab/packed/u/p.zip", output)
    assert error.value.response.status == 400
    with pytest.raises(S3Error) as error:
        limited.get_object(
            known.bucket, "jobs/lab/packed/u/p.zip/inner.csv", request_headers={"x-minio-extract": "true"}
        )
    assert error.value.code == "NoSuchKey"
    files = io.BytesIO()
    with tarfile.open(fileobj=files, mode="w") as tar:
        member = tarfile.TarInfo("inner.csv")
        tar.addfile(member, io.BytesIO())
    data = files.getvalue()
    with pytest.raises(S3Error) as error:
        limited.put_object(
            known.bucket,
            "jobs/lab/packed/u/p.tar",
            io.BytesIO(data),
            len(data),
            metadata={"snowball-auto-extract": "true"},
        )
    assert error.value.response.status == 400
    assert known.keys("jobs/lab/packed/u/") == ["jobs/lab/packed/u/p.zip"]


def test_the_store_takes_no_forms(known: Server) -> None:
    form: Form = {"key": "jobs/lab/a/form", "x-minio-fanout-list": "{}" * 1000, "file": ("x", b"x")}
    answer = urllib3.PoolManager(retries=False).request("POST", f"{known.endpoint}/{known.bucket}", fields=form)
    assert (answer.status, b"not allowed" in answer.data) == (400, False), answer.data


def test_an_upload_does_not_end_with_more_parts_than_it_can_have(known: Server) -> None:
    limited, key = client(known, LAB), "jobs/lab/packed/parts"
    upload = limited._create_multipart_upload(known.bucket, key, {})
    parts = [Part(number, "x" * 32) for number in range(1, 60_000)]
    with pytest.raises(S3Error) as error:
        limited._complete_multipart_upload(known.bucket, key, upload, parts)
    assert error.value.code == "MalformedXML"
    limited._abort_multipart_upload(known.bucket, key, upload)


def test_they_do_not_list_uploads_under_way(known: Server) -> None:
    with pytest.raises(S3Error) as error:
        client(known, LAB)._list_multipart_uploads(known.bucket, prefix="")
    assert error.value.code == "AccessDenied"


def test_they_make_no_keys_and_no_buckets(known: Server) -> None:
    limited = MinioAdmin(
        endpoint=f"127.0.0.1:{known.port}", credentials=StaticProvider(LAB.access, LAB.secret), secure=False
    )
    with pytest.raises(Exception, match="403"):
        limited.user_list()
    with pytest.raises(S3Error):
        client(known, LAB).make_bucket("mine")


def test_they_neither_see_nor_remove_the_keys_of_others(known: Server) -> None:
    limited = MinioAdmin(
        endpoint=f"127.0.0.1:{known.port}", credentials=StaticProvider(LAB.access, LAB.secret), secure=False
    )
    mine = Grant("lab", "mine-01234567", "mine-0123456789")
    calls: list[Callable[[], str]] = [
        lambda: limited.list_service_account(""),
        lambda: limited.list_service_account(OTHER.access),
        lambda: limited.list_service_account(ACCESS),
        lambda: limited.get_service_account(OTHER.access),
        lambda: limited.delete_service_account(OTHER.access),
        lambda: limited.user_info(OTHER.access),
        lambda: limited.user_remove(OTHER.access),
        lambda: limited.user_disable(OTHER.access),
        lambda: limited.user_add(OTHER.access, "another-secret-0123"),
        lambda: limited.user_add(LAB.access, "another-secret-0123"),
        lambda: limited.policy_add("simops-other", policy={"Version": "2012-10-17", "Statement": []}),
        lambda: limited.policy_set("consoleAdmin", user=LAB.access),
        lambda: limited.add_service_account(access_key=mine.access, secret_key=mine.secret),
    ]
    for number, call in enumerate(calls):
        try:
            told = call()
        except MinioAdminException:
            continue
        assert OTHER.access not in told, number
        assert ACCESS not in told, number
    # To delete a service account that is none is answered with success; what counts is what has become of the keys.
    put(known, OTHER, "jobs/other/a/still")
    put(known, LAB, "jobs/lab/a/still")
    for grant in (LAB, mine):
        with pytest.raises(S3Error):
            put(known, grant, "jobs/other/a/not")


def test_keys_of_a_namespace_that_is_not_served_any_more_and_old_ones_open_nothing(minio_store: Server) -> None:
    root = admin(minio_store)
    old, new = (
        Grant("drawn", "drawn-keys-old", "lab-secret-0123456789"),
        Grant("drawn", "drawn-keys-new", "lab-secret-1"),
    )
    left, person = Grant("left", "left-keys-0123", "lab-secret-0123456789"), "somebody-0123"
    for grant in (old, new, left):
        make_known(root, minio_store.bucket, grant)
        put(minio_store, grant, f"jobs/{grant.namespace}/a/b")
    root.user_add(person, "a-secret-0123456789")
    known = [Grant(LAB.namespace, LAB.access, LAB.secret), OTHER, new]
    for _ in range(2):
        forget_others(root, known)
    put(minio_store, new, "jobs/drawn/a/c")
    for gone in (old, left):
        with pytest.raises(S3Error) as error:
            put(minio_store, gone, f"jobs/{gone.namespace}/a/c")
        assert error.value.code == "InvalidAccessKeyId"
    assert person in root.user_list()
    root.user_remove(person)


def test_keys_of_an_earlier_version_become_those_of_a_user(minio_store: Server) -> None:
    old = Grant("lab", "old-lab-keys-0123", "lab-secret-0123456789")
    root = admin(minio_store)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}]}
    root.add_service_account(access_key=old.access, secret_key=old.secret, policy=everything)
    for _ in range(2):
        make_known(root, minio_store.bucket, old)
        put(minio_store, old, "jobs/lab/a/b")
    with pytest.raises(S3Error):
        put(minio_store, old, "jobs/other/a/b")
    with pytest.raises(MinioAdminException):
        root.get_service_account(old.access)


class Dying:
    """An administrator whose calls end after some, as when the operator is killed or the store goes away."""

    def __init__(self, root: MinioAdmin, calls: int) -> None:
        self._root = root
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._root, name)

        def counted(*args: Any, **options: Any) -> Any:
            if self._calls == 0:
                raise ConnectionError("killed")
            self._calls -= 1
            return call(*args, **options)

        return counted


@pytest.mark.parametrize("calls", range(5))
def test_keys_whose_change_was_broken_off_anywhere_are_whole_after_the_next_try(
    minio_store: Server, calls: int
) -> None:
    grant = Grant("lab", f"dying-keys-{calls}", "lab-secret-0123456789")
    root = admin(minio_store)
    root.add_service_account(access_key=grant.access, secret_key=grant.secret, policy=policy_of("simops", "lab"))
    with pytest.raises(ConnectionError):
        make_known(cast(MinioAdmin, Dying(root, calls)), minio_store.bucket, grant)
    make_known(root, minio_store.bucket, grant)
    put(minio_store, grant, "jobs/lab/a/whole")
    with pytest.raises(S3Error):
        put(minio_store, grant, "jobs/other/a/not")


def test_keys_that_were_changed_replace_the_old_ones(known: Server) -> None:
    changed = Grant(LAB.namespace, LAB.access, "another-secret-0123")
    make_known(admin(known), known.bucket, changed)
    put(known, changed, "jobs/lab/a/c")
    with pytest.raises(S3Error):
        put(known, LAB, "jobs/lab/a/d")


def test_a_bundle_is_stored_with_them(known: Server, sidecar: Callable[..., Sidecar]) -> None:
    bundle = sidecar(known)
    (bundle.secret / "access-key").write_text(LAB.access)
    (bundle.secret / "secret-key").write_text(LAB.secret)
    (bundle.outputs / "large.bin").write_bytes(os.urandom(12 << 20))  # in several parts
    assert bundle.start().finish()["bundle"] == bundle.key
    assert bundle.key in known.keys(bundle.prefix)
