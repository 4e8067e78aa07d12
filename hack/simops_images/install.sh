#!/bin/sh
# Runs while an image is built (Dockerfile): `install.sh uv` brings uv, the installer; `install.sh packages LOCK` installs a lock
# file into the virtual environment /opt/simops; `install.sh code` compiles the code in /opt/simops/app.
# The index, a proxy and certificates of the building machine are used and kept nowhere.
set -eu

certificates=/run/secrets/certificates
if [ -s $certificates ]; then
  export PIP_CERT=$certificates SSL_CERT_FILE=$certificates
fi
# An argument that was not given must not be an empty setting.
if [ -n "${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="$PIP_INDEX_URL"; else unset PIP_INDEX_URL; fi

compile() {
  # No .pyc may depend on a file's time, and a read-only file system cannot get them later.
  python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash "$@"
}

case $1 in
  uv)
    python3 -m venv /build/uv
    /build/uv/bin/python -m pip install -q --no-cache-dir --disable-pip-version-check --only-binary :all: --require-hashes \
      -r /build/bootstrap.lock
    ;;
  packages)
    python3 -m venv --without-pip /opt/simops
    /build/uv/bin/uv pip install -q --no-cache --link-mode copy --no-deps --only-binary :all: --require-hashes \
      --python /opt/simops/bin/python -r "$2"
    cd "$(/opt/simops/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    # SimOps' own code is a layer of its own; a .pth file works with `python -I` too.
    echo /opt/simops/app >simops.pth
    find . -depth -type d \( -name __pycache__ -o -name tests -o -name SelfTest -o -name sample_data \) -exec rm -rf {} +
    find . -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.c' -o -name '*.a' \) -delete
    rm -f /opt/simops/bin/activate* /opt/simops/bin/Activate* /opt/simops/.lock /opt/simops/.gitignore /opt/simops/CACHEDIR.TAG
    # Two generated clients of 1,500 modules: their byte code alone is enough, and 75 MB smaller.
    for generated in kubernetes/client kubernetes/aio/client; do
      if [ -d $generated ]; then
        compile -b $generated
        find $generated -name '*.py' -delete
      fi
    done
    compile .
    ;;
  code)
    find /opt/simops/app -depth -name __pycache__ -exec rm -rf {} +
    chmod -R u=rwX,go=rX /opt/simops/app
    compile /opt/simops/app
    ;;
esac
find /opt/simops -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} + 2>/dev/null || true
