# Process 1 of a node: node.sh NODE, started in its own namespaces. Killing it is a power loss of the node.

set -euo pipefail
HERE=$(dirname "$(readlink -f "$0")")
. "$HERE/settings.sh"
. "$HERE/cgroups.sh"
. "$HERE/control-plane.sh"

N=$1
NODE=node-$N
ADDRESS=$(address "$N")
CONFIG=/run/node
API_SERVER=https://$CONTROL_PLANE:6443

main() {
  mount_disks
  join_network
  make_cgroups "$N"
  mkdir -p $CONFIG
  configure_containers
  keep_running containerd containerd --config $CONFIG/containerd.toml
  [ "$NODE" != node-1 ] || start_control_plane
  wait_for_api_server
  configure_kubelet
  keep_running kubelet kubelet --config $CONFIG/kubelet.yaml --kubeconfig "$PKI/$NODE.kubeconfig" \
    --hostname-override "$NODE" --node-ip "$ADDRESS"
  configure_proxy
  keep_running kube-proxy kube-proxy --config $CONFIG/proxy.yaml
  wait
}

# /var is the disk and survives a power loss; /run is memory and does not. Image layers are on a second disk, which
# survives the cluster. With these mounts, programs find everything in the usual places.
mount_disks() {
  local disk=$STATE/$NODE/var images=$STATE/$NODE/images
  mkdir -p "$images" "$disk/log" "$disk/tmp" "$disk/lib/containerd"
  ln -sfn /run "$disk/run"
  mount --bind "$disk" /var
  mount --bind "$images" /var/lib/containerd
  mount -t tmpfs tmpfs /run
  # mount propagation between pods works only through shared mounts
  mount --make-rshared /
}

join_network() {
  local other
  hostname "$NODE"
  ip link set lo up
  until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
  ip address add "$ADDRESS/24" dev eth0
  ip link set eth0 up
  ip route add default via $HOST
  for other in "${NODES[@]}"; do
    [ "$other" = "$N" ] || ip route add "$PODS.$other.0/24" via "$(address "$other")"
  done
  sysctl -qw net.ipv4.ip_forward=1
}

# Restarts a program when it ends, as systemd does on other nodes.
keep_running() { # NAME COMMAND...
  local name=$1
  shift
  while true; do
    "$@" >>"/var/log/$name.log" 2>&1 &
    echo $! >"/run/$name.pid"
    wait $! || true
    sleep 1
  done &
}

# Wait for success: a server that is still starting answers with 403 or 500.
wait_for_api_server() {
  until curl -skf --noproxy '*' --max-time 5 "$API_SERVER/readyz" >/dev/null; do sleep 0.1; done
}

configure_containers() {
  mkdir -p $CONFIG/cni
  # every pod has its own cable: on a shared bridge, answers between two pods of one node would bypass the address
  # translation of services
  cat >$CONFIG/cni/10-pods.conflist <<JSON
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "ranges": [[{"subnet": "$PODS.$N.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
  cat >$CONFIG/containerd.toml <<TOML
version = 2
# this plugin would create an unused folder on the machine
disabled_plugins = ["io.containerd.internal.v1.opt"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  # without CAP_SYS_RESOURCE, lowering the score fails and no sandbox starts
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "$CONFIG/cni"
[plugins."io.containerd.grpc.v1.cri".registry.mirrors."$REGISTRY"]
  endpoint = ["http://$REGISTRY"]
[plugins."io.containerd.grpc.v1.cri".containerd]
  # keep only the unpacked layers on the disk, not their archives
  discard_unpacked_layers = true
TOML
}

configure_kubelet() {
  : >$CONFIG/resolv.conf # pods use only the cluster's name server
  cat >$CONFIG/kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
tlsCertFile: $PKI/$NODE.crt
tlsPrivateKeyFile: $PKI/$NODE.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
clusterDNS: [$CONTROL_PLANE]
clusterDomain: cluster.local
resolvConf: $CONFIG/resolv.conf
cgroupDriver: cgroupfs
cgroupRoot: /$(cgroup_of "$N")
enforceNodeAllocatable: [pods]
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
# the disk belongs to the whole machine, so its usage must not affect this node
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%, imagefs.inodesFree: 0%}
serializeImagePulls: false
# a changed Secret or ConfigMap reaches a running pod at its next sync, and the training-operator waits for its Secret
syncFrequency: 5s
maxPods: 200
YAML
}

configure_proxy() {
  cat >$CONFIG/proxy.yaml <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: $NODE
clusterCIDR: $PODS.0.0/16
clientConnection: {kubeconfig: $PKI/proxy.kubeconfig}
oomScoreAdj: 0
conntrack: {maxPerCore: 0}
YAML
}

main
