# The Debian packages that a node, the registry and the image builder are made of.

PACKAGES=(
  ca-certificates curl iproute2 jq openssl procps util-linux  # what these scripts call
  containerd runc containernetworking-plugins                 # what runs containers on a node
  conntrack ethtool iptables nftables socat                   # what kubelet and kube-proxy call
  etcd-server                                                 # where the API server keeps its objects
  buildah docker-registry mmdebstrap                          # what makes and serves images
)

install_packages() {
  local missing=()
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  say "install ${missing[*]}"
  apt-get update -qq
  without_daemons apt-get install -qq --yes --no-install-recommends "${missing[@]}"
}

missing_packages() {
  local package
  for package in "${PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

# Some packages start a service when they are installed; it would take the ports of the cluster.
without_daemons() {
  local policy=/usr/sbin/policy-rc.d status=0
  [ ! -e $policy ] || { DEBIAN_FRONTEND=noninteractive "$@"; return; }
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod +x $policy
  DEBIAN_FRONTEND=noninteractive "$@" || status=$?
  rm $policy
  return $status
}
