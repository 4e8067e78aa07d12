"""Tools built from pinned Go modules, each only when it is asked for, and kept outside the checkout.

A tool's folder is keyed by everything that decides what comes out (module file or version, flags, Go version), so a
changed pin builds anew and switching branches back does not.
"""

import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from localcluster.paths import HACK, cache, log_file
from localcluster.progress import StepError, run_logged

KUBERNETES = "v1.35.4"
OLDEST, NEWEST = "1.34", "1.37"
OTHER_KUBERNETES = {OLDEST: "v1.34.0", NEWEST: "v1.37.2"}
"""The oldest and the newest supported Kubernetes: their API servers alone, for tests."""
COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)
OLDEST_GO = (1, 25)
SWITCHING_GO = (1, 21)  # from here on an older Go fetches the newer one that a module asks for
BUILD_TIMEOUT = 45 * 60
VERSION_PACKAGE = "k8s.io/component-base/version"


@dataclass(frozen=True)
class Mend:
    """A place in the source of a tool that has to be another one, since no version of it has the mend."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Tool:
    """One program: a package at a version, or a package of the Go module in `folder`, with the dependencies of `modfile`."""

    package: str
    version: str
    about: str
    folder: Path | None = None
    modfile: str = "go.mod"
    names: tuple[str, ...] = ()
    ldflags: tuple[str, ...] = field(default=("-s", "-w"))
    mends: tuple[Mend, ...] = ()


def _kubernetes_ldflags(version: str) -> tuple[str, ...]:
    major, minor = version.removeprefix("v").split(".")[:2]
    stamps = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "unknown",
    }
    return ("-s", "-w", *(f"-X={VERSION_PACKAGE}.{name}={value}" for name, value in stamps.items()))


def apiserver_of(minor: str) -> str:
    """Return the tool that is the API server of another Kubernetes, e.g. of 1.34."""
    return f"kube-apiserver-{minor}"


_PLACES = """// places counts the requests of each key in the pool.
var places = struct {
	sync.Mutex
	of map[string]int
}{of: make(map[string]int)}

// whose tells by whose keys a request is signed: of keys that were made for a while, by whom they were made.
func whose(r *http.Request) string {
	region := globalSite.Region()
	if reqSignatureV4Verify(r, region, serviceS3) != ErrNone {
		return "nobody's"
	}
	var access string
	if isRequestSignatureV4(r) {
		signed, _ := parseSignV4(r.Header.Get("Authorization"), region, serviceS3)
		access = signed.Credential.accessKey
	} else {
		signed, _ := parsePreSignV4(r.Form, region, serviceS3)
		access = signed.Credential.accessKey
	}
	if access == globalActiveCred.AccessKey {
		if isRequestSignatureV4(r) {
			return "root's own"
		}
		return "of whom root gave an address to"
	}
	cred, _, _ := checkKeyValid(r, access)
	if cred.ParentUser != "" && cred.ParentUser != globalActiveCred.AccessKey {
		access = cred.ParentUser
	}
	return "key " + access
}

// takePlace takes a place in the pool and returns what gives it back, or nil.
// Who has a third of what is free gets no more, thus at most a quarter of all; root has up to three times what is free, thus three quarters.
func takePlace(r *http.Request, pool chan struct{}) func() {
	key := whose(r)
	places.Lock()
	defer places.Unlock()
	most := cap(pool) - len(pool)
	if key == "root's own" {
		most *= 9
	}
	if 3*places.of[key] >= most {
		return nil
	}
	select {
	case pool <- struct{}{}:
	default:
		return nil
	}
	places.of[key]++
	return func() {
		places.Lock()
		defer places.Unlock()
		<-pool
		places.of[key]--
		if places.of[key] == 0 {
			delete(places.of, key)
		}
	}
}

// steadyBody ends where less than 30 KiB came in 30 seconds that were waited for it.
type steadyBody struct {
	io.ReadCloser
	waited time.Duration
	got    int
}

func (b *steadyBody) Read(p []byte) (int, error) {
	start := time.Now()
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(start)
	b.got += n
	if err == nil && b.waited > 30*time.Second {
		if b.got < 30<<10 {
			return n, io.ErrUnexpectedEOF
		}
		b.waited, b.got = 0, 0
	}
	return n, err
}

// maxClients throttles the S3 API calls
"""

MINIO_MENDS = (
    # The last public MinIO takes what is uploaded with an unsigned trailer from whoever knows the name of an access key: beside a signature in the
    # query nothing is checked (CVE-2026-41145), nor for archives that it unpacks (CVE-2026-40344). Nothing here uploads in this way; a request that does
    # is taken as one of the usual kind then, whose signature is checked.
    Mend(
        "cmd/auth-handler.go",
        "return r.Header.Get(xhttp.AmzContentSha256) == unsignedPayloadTrailer &&\n\t\tr.Method == http.MethodPut",
        "return false",
    ),
    # The right to read an object is also that to let MinIO unpack and query it, and the right to write one that to let it unpack an archive: a few
    # megabytes, packed well, end it for everybody or fill its disk. Nothing here asks for any of it. No header has a name with spaces.
    Mend("cmd/api-router.go", "api.SelectObjectContentHandler, ", "errorResponseHandler, "),
    Mend("cmd/api-router.go", "api.PutObjectExtractHandler, ", "errorResponseHandler, "),
    # The end of an upload names ten thousand parts at most, and each is made into an entry before they are counted.
    Mend(
        "cmd/object-multipart-handlers.go",
        "xmlDecoder(r.Body, complMultipartUpload, ",
        "xmlDecoder(io.LimitReader(r.Body, 3<<20), complMultipartUpload, ",
    ),
    # A request to delete names a thousand objects at most, and is read before its signature is looked at.
    Mend("cmd/bucket-handlers.go", "deleteObjectsReq, maxBodySize)", "deleteObjectsReq, 4<<20)"),
    # What a browser sends as a form is read before its signature is looked at, a field of it into fifty times as much memory.
    Mend("cmd/api-router.go", "api.PostPolicyBucketHandler, ", "errorResponseHandler, "),
    Mend("cmd/api-router.go", "api.GetObjectLambdaHandler, ", "errorResponseHandler, "),
    Mend("cmd/s3-zip-handlers.go", 'xMinIOExtract = "x-minio-extract"', 'xMinIOExtract = "a header that nobody sends"'),
    # There is a number of places for requests, and uploads that trickle took all of them with the keys of one namespace. Whose a request is, is told by
    # its signature and not by the name of a key alone: a few requests are read before their signature is looked at.
    Mend("cmd/handler-api.go", "import (\n", 'import (\n\t"io"\n'),
    Mend("cmd/handler-api.go", "// maxClients throttles the S3 API calls\n", _PLACES),
    Mend(
        "cmd/handler-api.go",
        "select {\n\t\tcase pool <- struct{}{}:\n\t\t\tdefer func() { <-pool }()\n",
        "switch leave := takePlace(r, pool); {\n\t\tcase leave != nil:\n\t\t\tdefer leave()\n\t\t\tr.Body = &steadyBody{ReadCloser: r.Body}\n",
    ),
    Mend(
        "cmd/handler-api.go",
        "case <-r.Context().Done():\n\t\t\tglobalHTTPStats",
        "case contextCanceled(ctx):\n\t\t\tglobalHTTPStats",
    ),
)

_NATIVE = HACK / "native"
TOOLS = {
    "kubernetes": Tool(
        ".",
        KUBERNETES,
        "about 5 minutes the first time",
        _NATIVE,
        names=COMPONENTS,
        ldflags=_kubernetes_ldflags(KUBERNETES),
    ),
    **{
        apiserver_of(minor): Tool(
            ".",
            version,
            "about 5 minutes the first time",
            _NATIVE / "versions",
            f"v{minor}.mod",
            ("kube-apiserver",),
            _kubernetes_ldflags(version),
        )
        for minor, version in OTHER_KUBERNETES.items()
    },
    "pause": Tool("./pause", KUBERNETES, "seconds", _NATIVE),
    "coredns": Tool("./coredns", "v1.13.1", "about a minute", _NATIVE / "addons"),
    "volumes": Tool("./volumes", "v13.0.0", "seconds after CoreDNS", _NATIVE / "addons"),
    "helm": Tool("helm.sh/helm/v3/cmd/helm", "v3.22.0", "about a minute"),
    "kubeconform": Tool("github.com/yannh/kubeconform/cmd/kubeconform", "v0.8.0", "seconds"),
    "kind": Tool("sigs.k8s.io/kind", "v0.33.0", "seconds"),
    "minio": Tool("github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c", "about 2 minutes", mends=MINIO_MENDS),
    "versitygw": Tool("github.com/versity/versitygw/cmd/versitygw", "v1.8.0", "about a minute"),
    "kwok": Tool("sigs.k8s.io/kwok/cmd/kwok", "v0.8.0", "about a minute"),
}
ALIASES = dict.fromkeys(COMPONENTS, "kubernetes")


def parse_go_version(text: str) -> tuple[int, int] | None:
    """Read `go version go1.26.8 linux/amd64`."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def go_environment(version: tuple[int, int] | None) -> dict[str, str]:
    """Return the environment for a build, or say why this Go cannot do it.

    An older Go that can switch toolchains fetches the newer one by itself, unless it was told not to.
    """
    needed = ".".join(map(str, OLDEST_GO))
    if version is None or version < SWITCHING_GO:
        have = "no Go is installed" if version is None else f"the installed Go {version[0]}.{version[1]} is too old"
        msg = (
            f"{have}: the native cluster and the tools are built from Go modules. Install Go {needed} or newer from the"
            " Go project's download page and put its bin folder on PATH (a packaged Go from 1.21 on also does: it"
            f" fetches {needed} by itself)."
        )
        raise StepError(msg)
    environment = {"CGO_ENABLED": "0"}
    if version < OLDEST_GO:
        environment["GOTOOLCHAIN"] = "auto"
    return environment


def find_go() -> str | None:
    """Return the Go command on PATH or in its usual place."""
    return shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")


@functools.cache
def _go() -> tuple[str, str]:
    """Return the Go command and what it calls its version."""
    command = find_go()
    if command is None:
        go_environment(None)
        raise AssertionError
    text = subprocess.run([command, "version"], capture_output=True, text=True, check=True, timeout=60, cwd="/").stdout
    return command, text.strip()


def sources(tool: Tool) -> list[Path]:
    """Return the files that decide what a tool of this checkout becomes."""
    if tool.folder is None:
        return []
    package, modfile = tool.folder / tool.package, tool.folder / tool.modfile
    return [modfile, modfile.with_suffix(".sum"), *sorted(package.glob("*.go"))]


def cache_key(tool: Tool, go_version: str) -> str:
    """Return what changes whenever the built file would."""
    digest = hashlib.sha256()
    mends = (part for mend in tool.mends for part in (mend.file, mend.old, mend.new))
    for part in (tool.package, tool.version, *tool.ldflags, go_version, *mends):
        digest.update(part.encode() + b"\0")
    for path in sources(tool):
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def build_command(go: str, name: str, tool: Tool, folder: Path) -> list[str | Path]:
    """Return the command that puts the program `name` into `folder`."""
    flags: list[str | Path] = ["-trimpath", "-buildvcs=false", "-ldflags", " ".join(tool.ldflags)]
    if tool.mends:
        return [go, "build", *flags, "-o", folder / name, "."]
    if tool.folder is None:
        return [go, "install", *flags, f"{tool.package}@{tool.version}"]
    return [go, "build", *flags, f"-modfile={tool.modfile}", "-o", folder / name, tool.package]


def apiserver(minor: str) -> Path:
    """Return the API server of another Kubernetes, by the name that it has in every version."""
    return tool(apiserver_of(minor)).with_name("kube-apiserver")


def _folder(owner: str) -> Path:
    spec = TOOLS[owner]
    return cache() / "bin" / f"{owner}-{spec.version}-{cache_key(spec, _go()[1])}"


def built(name: str) -> bool:
    """Say whether a tool is there without a build."""
    return find_go() is not None and (_folder(ALIASES.get(name, name)) / name).exists()


def tool(name: str) -> Path:
    """Return the path of a tool, building it first if that has not been done.

    The components of Kubernetes (`kubectl`, `kubelet`, …) are links to one file that picks by its own name.
    """
    owner = ALIASES.get(name, name)
    if owner not in TOOLS:
        msg = f"no tool {name!r}; there are: {', '.join(sorted([*TOOLS, *COMPONENTS]))}"
        raise StepError(msg)
    spec = TOOLS[owner]
    go, version = _go()
    folder = _folder(owner)
    if not (folder / name).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f".{owner}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / name).exists():
                _build(go, version, owner, spec, folder)
    return folder / name


def mended(text: str, mend: Mend) -> str:
    """Return a file of a module with its mend.

    Raises:
        StepError: the place is not there exactly once.
    """
    if text.count(mend.old) != 1:
        msg = f"{mend.file} has another text than its mend was made for; look whether this version still needs it"
        raise StepError(msg)
    return text.replace(mend.old, mend.new)


def _mended_copy(go: str, tool: Tool, folder: Path, environment: dict[str, str]) -> Path:
    """Copy a module, since Go lets nobody change or overlay what it has downloaded, and mend it."""
    told = subprocess.run(
        [go, "mod", "download", "-json", f"{tool.package}@{tool.version}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=BUILD_TIMEOUT,
        cwd="/",
        env={**os.environ, **environment},
    )
    copy = folder / "source"
    shutil.copytree(json.loads(told.stdout)["Dir"], copy, copy_function=shutil.copyfile)
    for path in copy.rglob("*/"):
        path.chmod(0o755)
    copy.chmod(0o755)
    for mend in tool.mends:
        place = copy / mend.file
        place.write_text(mended(place.read_text(encoding="utf-8"), mend), encoding="utf-8")
    return copy


def _build(go: str, version: str, name: str, spec: Tool, folder: Path) -> None:
    """Build into a folder beside, then rename: an interrupted build leaves no half tool behind."""
    environment = go_environment(parse_go_version(version))
    building = folder.with_name(folder.name + ".part")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    try:
        source = spec.folder or Path("/")
        if spec.mends:
            source = _mended_copy(go, spec, building, environment)
        run_logged(
            f"Building {name} {spec.version} ({spec.about})",
            build_command(go, name, spec, building),
            log_file(f"build-{name}"),
            timeout=BUILD_TIMEOUT,
            env={**environment, "GOBIN": str(building)},
            cwd=source,
        )
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    shutil.rmtree(building / "source", ignore_errors=True)
    for link in spec.names:
        (building / link).symlink_to(name)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(building, folder)  # noqa: PTH105 - the name says that it is one step
