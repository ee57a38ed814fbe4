# The three programs as images: docker build --target operator|dashboard|trainer . (or `make images`)
ARG PYTHON_IMAGE=python:3.11-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown

# The installer (uv), taken from the development lock. Its file time is fixed: otherwise every change of that lock would
# invalidate the layers below, and all dependencies would be installed again.
FROM ${PYTHON_IMAGE} AS installer
COPY requirements.lock /
RUN sed -n '/^uv==/,/[^\\]$/p' /requirements.lock >/installer.lock && touch --date=@0 /installer.lock

FROM ${PYTHON_IMAGE} AS base
# The user has a name, because getpass fails without one. Its home is the only folder that is writable with a read-only
# root file system.
RUN groupadd --gid 10001 alignment \
    && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin alignment \
    && python -m venv --without-pip /opt/venv
ENV HOME=/tmp \
    PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/alignment \
    PYTHONUNBUFFERED=1
WORKDIR /opt/alignment

# The dependencies of each program are one layer, which changes only with its lock. The installer is added and removed
# within that layer. The lock's hashes also apply to build dependencies (deepspeed is built from source). Each image
# keeps its lock, so that its contents can be looked up.
FROM base AS operator-dependencies
COPY --from=installer /installer.lock ./
COPY operator/requirements.lock ./
RUN --mount=type=cache,id=uv,target=/var/cache/uv \
    python -m venv /tmp/installer \
    && /tmp/installer/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r installer.lock \
    && /tmp/installer/bin/uv pip sync --quiet --python /opt/venv/bin/python --cache-dir /var/cache/uv --link-mode copy \
        --compile-bytecode --require-hashes --build-constraints requirements.lock requirements.lock \
    && rm -rf /tmp/*

FROM base AS dashboard-dependencies
COPY --from=installer /installer.lock ./
COPY dashboard/requirements.lock ./
RUN --mount=type=cache,id=uv,target=/var/cache/uv \
    python -m venv /tmp/installer \
    && /tmp/installer/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r installer.lock \
    && /tmp/installer/bin/uv pip sync --quiet --python /opt/venv/bin/python --cache-dir /var/cache/uv --link-mode copy \
        --compile-bytecode --require-hashes --build-constraints requirements.lock requirements.lock \
    && rm -rf /tmp/*

# EXTRAS=compression adds llm-compressor, which the formats W8A16, W4A16, GPTQ and FP8 of exports need.
FROM base AS trainer-dependencies
ARG EXTRAS=
COPY --from=installer /installer.lock ./
COPY trainer_image/requirements.lock trainer_image/requirements-compression.lock ./
RUN --mount=type=cache,id=uv,target=/var/cache/uv \
    if test -n "$EXTRAS"; then mv "requirements-$EXTRAS.lock" requirements.lock; else rm requirements-*.lock; fi \
    && python -m venv /tmp/installer \
    && /tmp/installer/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r installer.lock \
    && /tmp/installer/bin/uv pip sync --quiet --python /opt/venv/bin/python --cache-dir /var/cache/uv --link-mode copy \
        --compile-bytecode --require-hashes --build-constraints requirements.lock requirements.lock \
    && rm -rf /tmp/*

FROM operator-dependencies AS operator
COPY crds/alignment_api alignment_api/
COPY operator/alignment_operator alignment_operator/
RUN python -m compileall -q /opt/alignment
USER 10001:10001
# Health and metrics.
EXPOSE 8080 9090
ENTRYPOINT ["python", "-m", "alignment_operator"]
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="alignment-operator" \
      org.opencontainers.image.description="Reconciles AlignmentJobs into training pods" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

# This image also serves MLflow, which is a dependency of the dashboard anyway.
FROM dashboard-dependencies AS dashboard
COPY crds/alignment_api alignment_api/
COPY dashboard/alignment_dashboard alignment_dashboard/
RUN python -m compileall -q /opt/alignment
# Each viewer has a thread. By default each thread takes memory from an arena of its own, which seldom gives it back.
ENV MALLOC_ARENA_MAX=2
USER 10001:10001
EXPOSE 8501
ENTRYPOINT ["python", "-m", "alignment_dashboard", "--host", "0.0.0.0", "--port", "8501"]
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="alignment-dashboard" \
      org.opencontainers.image.description="Watch and compare AlignmentJobs in a browser" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM trainer-dependencies AS trainer
COPY crds/alignment_api alignment_api/
COPY trainer_image/alignment_trainer alignment_trainer/
RUN python -m compileall -q /opt/alignment
USER 10001:10001
ENTRYPOINT ["python", "-m", "alignment_trainer"]
ARG VERSION
ARG REVISION
ARG SOURCE
# The trainer logs these as parameters of its runs.
ENV ALIGNMENT_VERSION=${VERSION} \
    ALIGNMENT_REVISION=${REVISION}
LABEL org.opencontainers.image.title="alignment-trainer" \
      org.opencontainers.image.description="Runs one stage of an AlignmentJob" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
