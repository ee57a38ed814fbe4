# Removes the images of earlier test runs from the nodes and the registry: each set of dependencies takes 15 GB of disk there.

OWN_IMAGES="$REGISTRY/alignment-"

prune_node() { # NODE TAG
  local refs
  running "$1" || return 0
  mapfile -t refs < <(containers_of "$1" images ls | superseded "$2")
  [ ${#refs[@]} -eq 0 ] || containers_of "$1" images rm "${refs[@]}" >/dev/null
}

containers_of() { # NODE COMMAND...
  local socket
  socket=/proc/$(first_process "$1")/root/run/containerd/containerd.sock
  ctr --address "$socket" --namespace k8s.io "${@:2}"
}

# An image has three names: its tag, its digest and its id. All of them must go, or its layers stay.
superseded() { # TAG
  awk -v own="$OWN_IMAGES" -v kept=":$1" '
    { names[NR] = $1; digests[NR] = $3 }
    index($1, own) == 1 { ours[$3] }
    index($1, own) == 1 && index($1, kept) { wanted[$3] }
    END { for (n in names) if (digests[n] in ours && !(digests[n] in wanted)) print names[n] }'
}

prune_registry() { # TAG
  local tag
  for tag in "$STATE"/registry/docker/registry/v2/repositories/alignment-*/_manifests/tags/*; do
    [[ $(basename "$tag") = "$1"* ]] || rm -rf "$tag"
  done
  docker-registry garbage-collect --delete-untagged "$STATE/registry.yaml" >/dev/null 2>&1
}
