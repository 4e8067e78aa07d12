"""Keys, certificates and kubeconfigs of a native cluster, made by the `openssl` command.

One authority signs everything; who may do what is then decided by the names inside the certificates (RBAC and the Node
authorizer), as in any cluster.
"""

import base64
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from localcluster.addresses import Addresses
from localcluster.progress import StepError

DAYS = 3650
NODE_USER = "system:node:"
CONFIG = "openssl.cnf"
EMPTY_CONFIG = "[req]\ndistinguished_name = subject\n[subject]\n"  # the system's own would add extensions
# Python's strict verification, the default from 3.13 on, wants both.
KEY_IDENTIFIERS = ("subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid:always")


@dataclass(frozen=True)
class Certificate:
    """What a certificate says: its file's name, the subject, and the names it serves (none: a client)."""

    file: str
    name: str
    group: str = ""
    serves: tuple[str, ...] = ()


def certificates(addresses: Addresses, node: str) -> list[Certificate]:
    """Return the certificates of a cluster's components."""
    api_names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    api = (
        *(f"DNS:{name}" for name in (*api_names, "localhost")),
        *(f"IP:{ip}" for ip in (addresses.api_service, addresses.node, "127.0.0.1")),
    )
    return [
        Certificate("apiserver", "kube-apiserver", serves=api),
        Certificate("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
        Certificate("admin", "kubernetes-admin", "system:masters"),
        Certificate("controller-manager", "system:kube-controller-manager"),
        Certificate("scheduler", "system:kube-scheduler"),
        Certificate("proxy", "system:kube-proxy"),
        Certificate("kubelet", f"{NODE_USER}{node}", "system:nodes"),
        Certificate("kubelet-server", f"{NODE_USER}{node}", "system:nodes", (f"DNS:{node}", f"IP:{addresses.node}")),
    ]


def _request(out: Path, subject: str, extensions: list[str]) -> list[str]:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    command += ["-config", str(out.parent / CONFIG), "-sha256", "-days", str(DAYS), "-subj", subject]
    command += ["-keyout", f"{out}.key", "-out", f"{out}.crt"]
    for extension in (*extensions, *KEY_IDENTIFIERS):
        command += ["-addext", extension]
    return command


def authority_command(pki: Path) -> list[str]:
    """Return the command that makes the authority."""
    usage = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"]
    return _request(pki / "ca", "/CN=kubernetes", usage)


def certificate_command(pki: Path, certificate: Certificate) -> list[str]:
    """Return the command that makes a certificate's key and signs it by the authority."""
    group = f"/O={certificate.group}" if certificate.group else ""
    extensions = [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        f"extendedKeyUsage={'serverAuth' if certificate.serves else 'clientAuth'}",
    ]
    if certificate.serves:
        extensions.append(f"subjectAltName={','.join(certificate.serves)}")
    command = _request(pki / certificate.file, f"{group}/CN={certificate.name}", extensions)
    return [*command, "-CA", str(pki / "ca.crt"), "-CAkey", str(pki / "ca.key")]


def _openssl(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        msg = f"openssl failed (version 3 is needed):\n  {' '.join(command)}\n{done.stderr.strip()}"
        raise StepError(msg)


def sign(pki: Path, certificate: Certificate) -> None:
    """Make a certificate by the authority that is in the folder."""
    _openssl(certificate_command(pki, certificate))


def write_pki(pki: Path, addresses: Addresses, node: str) -> None:
    """Make the authority, all certificates, and the key pair that signs the tokens of service accounts."""
    pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    (pki / CONFIG).write_text(EMPTY_CONFIG)
    _openssl(authority_command(pki))
    for certificate in certificates(addresses, node):
        sign(pki, certificate)
    _openssl(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{pki}/sa.key"])
    _openssl(["openssl", "ec", "-in", f"{pki}/sa.key", "-pubout", "-out", f"{pki}/sa.pub"])


def kubeconfig(server: str, cluster: str, user: str, *, authority: bytes, certificate: bytes, key: bytes) -> str:
    """Return a kubeconfig with everything inside it; JSON, which is YAML too."""

    def encode(data: bytes) -> str:
        return base64.b64encode(data).decode()

    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": cluster, "cluster": {"server": server, "certificate-authority-data": encode(authority)}}
            ],
            "users": [
                {
                    "name": user,
                    "user": {"client-certificate-data": encode(certificate), "client-key-data": encode(key)},
                }
            ],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
            "current-context": cluster,
        },
        indent=2,
    )


def write_kubeconfig(path: Path, pki: Path, addresses: Addresses, *, cluster: str, user: str) -> None:
    """Write the kubeconfig of the component that has the certificate called `user`; only its owner may read it."""
    text = kubeconfig(
        addresses.server,
        cluster,
        user,
        authority=(pki / "ca.crt").read_bytes(),
        certificate=(pki / f"{user}.crt").read_bytes(),
        key=(pki / f"{user}.key").read_bytes(),
    )
    write_private(path, text)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text + "\n")
    part.replace(path)
