# Builds the few images that the cluster itself needs, because no public registry may be reachable.

CA_BUNDLE=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
CA_IN_IMAGE=/etc/ssl/certs/ca-certificates.crt

# Needs no registry, so it can run while the binaries compile.
make_file_system() {
  once "$STATE/images/.file_system" unpack_debian
}

make_images() {
  once "$STATE/registry/.python" python_image "$PYTHON_IMAGE" "$(cat "$CA_BUNDLE" "$STATE/images/.file_system" | cksum)"
  once "$STATE/registry/.pause" pause_image "$PAUSE_IMAGE" "$(cksum <"$HERE/pause.go")"
  once "$STATE/registry/.worker-init" worker_init_image "$WORKER_INIT_IMAGE" "$(cksum <"$STATE/registry/.python")"
  once "$STATE/registry/.training-operator" training_operator_image "$TRAINING_OPERATOR_IMAGE" "$(cksum <"$BIN/.training-operator")"
}

# A Debian with its own Python; pip may install into it, as in python:3.11-slim, which it replaces.
unpack_debian() {
  local sources=/etc/apt/sources.list.d/debian.sources path without=()
  [ -e $sources ] || sources=/etc/apt/sources.list
  for path in doc man locale info; do without+=(--dpkgopt="path-exclude=/usr/share/$path/*"); done
  mmdebstrap --quiet --variant=minbase "${without[@]}" \
    --include=ca-certificates,python3,python3-pip,python3-venv,python-is-python3 \
    --customize-hook='rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED' \
    bookworm "$STATE/images/debian.tar" $sources
}

# Replaces python:3.11-slim. It contains this machine's CA bundle, so `RUN pip install` trusts the same servers as the machine.
python_image() { # IMAGE
  local container
  container=$(image_tool from scratch)
  image_tool add --quiet "$container" "$STATE/images/debian.tar" / >/dev/null
  image_tool copy --quiet "$container" "$CA_BUNDLE" $CA_IN_IMAGE >/dev/null
  image_tool config --cmd python3 \
    --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    --env SSL_CERT_FILE=$CA_IN_IMAGE --env PIP_CERT=$CA_IN_IMAGE "$container"
  publish "$container" "$1"
}

# Holds a pod's namespaces open.
pause_image() { # IMAGE
  local container
  CGO_ENABLED=0 go build -ldflags "-s -w" -o "$STATE/images/pause" "$HERE/pause.go"
  container=$(image_tool from scratch)
  image_tool copy --quiet "$container" "$STATE/images/pause" /pause >/dev/null
  image_tool config --entrypoint '["/pause"]' "$container"
  publish "$container" "$1"
}

# The training-operator's init container repeats `nslookup` for the master until it succeeds. The nslookup of busybox
# fails as soon as one search domain has no answer; this one uses the C library.
worker_init_image() { # IMAGE
  local container
  printf '#!/bin/sh\nexec getent hosts "$1"\n' >"$STATE/images/nslookup"
  container=$(image_tool from --tls-verify=false "$PYTHON_IMAGE")
  image_tool copy --quiet --chmod 755 "$container" "$STATE/images/nslookup" /usr/local/bin/nslookup >/dev/null
  publish "$container" "$1"
}

training_operator_image() { # IMAGE
  local container
  container=$(image_tool from scratch)
  image_tool copy --quiet "$container" "$BIN/training-operator.v1" /manager >/dev/null
  image_tool config --user 65532:65532 --entrypoint '["/manager"]' "$container"
  publish "$container" "$1"
}

publish() { # CONTAINER IMAGE
  image_tool commit --quiet --rm "$1" "$2" >/dev/null
  image_tool push --quiet --tls-verify=false "$2"
}

image_tool() { buildah --root "$STATE/images/storage" --runroot "$STATE/images/run" "$@"; }
