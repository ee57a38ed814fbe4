# Installs the Debian packages of the nodes, the registry and the image builder.

PACKAGES=(
  ca-certificates curl iproute2 jq openssl procps util-linux  # used by these scripts
  containerd runc containernetworking-plugins                 # run containers on a node
  conntrack ethtool iptables nftables socat                   # used by kubelet and kube-proxy
  etcd-server                                                 # stores the API server's objects
  buildah docker-registry mmdebstrap                          # build and serve images
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

# Some packages start a service at installation, which would use the ports of the cluster.
without_daemons() {
  local policy=/usr/sbin/policy-rc.d status=0
  [ ! -e $policy ] || { DEBIAN_FRONTEND=noninteractive "$@"; return; }
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod +x $policy
  DEBIAN_FRONTEND=noninteractive "$@" || status=$?
  rm $policy
  return $status
}
