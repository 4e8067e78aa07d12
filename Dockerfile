# One file, three images: `--target operator`, `api` and `sim`. `hack/images build` builds them with Docker or buildah.
#
# Each image is three layers: a pruned system with Python (the same layer in all three), the locked packages of one extra, and
# SimOps' own code. A change of code therefore rebuilds and pulls a few hundred kilobytes.
#
# Reproducible: versions and hashes come from requirements/*.lock, byte code is compiled with hashes instead of times, every file
# has the time SOURCE_DATE_EPOCH. Small: no pip, no package manager, no tests, no headers, no caches. Nothing is written at start,
# so the root file system may be read-only, and the user is a number, so that runAsNonRoot can be checked.
ARG PYTHON_IMAGE=python:3.12-slim
ARG SOURCE_DATE_EPOCH=315532800

# ---- the system ---------------------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS pruned
ARG SOURCE_DATE_EPOCH
COPY hack/simops_images/prune.sh /tmp/
RUN sh /tmp/prune.sh

# From nothing, so that what was removed above is really gone.
FROM scratch AS runtime
COPY --from=pruned / /
ENV PATH=/opt/simops/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 10001:10001

# ---- the installer; nothing of it is kept, nor of the building machine's index, proxy and certificates -----------------------------
FROM ${PYTHON_IMAGE} AS builder
ARG PIP_INDEX_URL=
ARG SOURCE_DATE_EPOCH
ENV PIP_INDEX_URL=${PIP_INDEX_URL} \
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH}
WORKDIR /build
COPY requirements/bootstrap.lock hack/simops_images/install.sh ./
RUN --mount=type=secret,id=certificates sh install.sh uv

# ---- operator -----------------------------------------------------------------------------------------------------------------
FROM builder AS operator-packages
COPY requirements/operator.lock ./
RUN --mount=type=secret,id=certificates sh install.sh packages operator.lock

FROM builder AS operator-code
COPY crds/simops_crds /opt/simops/app/simops_crds
COPY crds/simops_io /opt/simops/app/simops_io
COPY operator/simops_operator /opt/simops/app/simops_operator
RUN sh install.sh code

FROM runtime AS operator
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="SimOps operator" \
      org.opencontainers.image.description="Runs SimulationJobs and SimulationSweeps; also the bundle container of every simulation Pod" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
# The current folder is never on sys.path.
ENV PYTHONSAFEPATH=1
COPY --from=operator-packages /opt/simops /opt/simops
COPY --from=operator-code /opt/simops/app /opt/simops/app
ENTRYPOINT ["python", "-m", "simops_operator"]

# ---- api ----------------------------------------------------------------------------------------------------------------------
FROM builder AS api-packages
COPY requirements/api.lock ./
RUN --mount=type=secret,id=certificates sh install.sh packages api.lock

FROM builder AS api-code
COPY crds/simops_crds /opt/simops/app/simops_crds
COPY crds/simops_io /opt/simops/app/simops_io
COPY api/simops_api /opt/simops/app/simops_api
RUN test -f /opt/simops/app/simops_api/ui/dist/index.html || { echo "The page is not built: run \`hack/env && .venv/bin/python hack/assets build\` first (\`hack/images build\` does)." >&2; exit 1; }
RUN sh install.sh code

FROM runtime AS api
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="SimOps gateway" \
      org.opencontainers.image.description="REST, server-sent events and results of SimOps" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
ENV PYTHONSAFEPATH=1
COPY --from=api-packages /opt/simops /opt/simops
COPY --from=api-code /opt/simops/app /opt/simops/app
EXPOSE 8000
ENTRYPOINT ["python", "-m", "simops_api"]

# ---- sim ----------------------------------------------------------------------------------------------------------------------
FROM builder AS sim-packages
COPY requirements/sim.lock ./
RUN --mount=type=secret,id=certificates sh install.sh packages sim.lock

FROM builder AS sim-code
COPY sim/simops_sim /opt/simops/app/simops_sim
RUN sh install.sh code

FROM runtime AS sim
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="SimOps sample simulations" \
      org.opencontainers.image.description="The one-dimensional heat equation by finite differences" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
# Plots need no display. One thread: a Pod has the CPUs of its limits, not those of the node that numpy would count.
ENV MPLBACKEND=Agg \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1
COPY --from=sim-packages /opt/simops /opt/simops
COPY --from=sim-code /opt/simops/app /opt/simops/app
ENTRYPOINT ["python", "-m", "simops_sim"]
