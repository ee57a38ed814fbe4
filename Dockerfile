# The three programs as images: docker build --target operator|dashboard|trainer . (or `make images`)
ARG PYTHON_IMAGE=python:3.11-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown

# The part of the development lock that is the installer. With the file's time it would look new after every change
# of that lock, and all dependencies would be installed again.
FROM ${PYTHON_IMAGE} AS installer
COPY requirements.lock /
RUN sed -n '/^uv==/,/[^\\]$/p' /requirements.lock >/installer.lock && touch --date=@0 /installer.lock

FROM ${PYTHON_IMAGE} AS base
# The user has a name because getpass fails without one. Its home is the one folder that can be written when the
# root file system is read-only.
RUN groupadd --gid 10001 alignment \
    && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin alignment \
    && python -m venv --without-pip /opt/venv
ENV HOME=/tmp \
    PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/opt/alignment \
    PYTHONUNBUFFERED=1
WORKDIR /opt/alignment

# Each program's dependencies are one layer, which changes only with its lock. The installer comes and goes within
# that layer. What a dependency is built with (deepspeed comes as source) is held to the lock's hashes too. The locks
# stay, so that an image says what is in it.
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

FROM base AS trainer-dependencies
COPY --from=installer /installer.lock ./
COPY trainer_image/requirements.lock ./
RUN --mount=type=cache,id=uv,target=/var/cache/uv \
    python -m venv /tmp/installer \
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

# It also serves MLflow, which it depends on anyway.
FROM dashboard-dependencies AS dashboard
COPY crds/alignment_api alignment_api/
COPY dashboard/alignment_dashboard alignment_dashboard/
RUN python -m compileall -q /opt/alignment
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
# The trainer writes them beside what it measures.
ENV ALIGNMENT_VERSION=${VERSION} \
    ALIGNMENT_REVISION=${REVISION}
LABEL org.opencontainers.image.title="alignment-trainer" \
      org.opencontainers.image.description="Trains one stage of an AlignmentJob" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
