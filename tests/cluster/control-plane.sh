# Starts what only the first node runs: etcd, the API server, the controllers, the scheduler and DNS.

start_control_plane() {
  # a power loss of a node kills only processes and keeps the machine's page cache, so etcd need not wait for the disk
  keep_running etcd etcd --data-dir /var/lib/etcd --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380

  keep_running kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 \
    --advertise-address $CONTROL_PLANE --secure-port 6443 --service-cluster-ip-range $SERVICES.0/16 \
    --tls-cert-file "$PKI/apiserver.crt" --tls-private-key-file "$PKI/apiserver.key" --client-ca-file "$PKI/ca.crt" \
    --service-account-key-file "$PKI/service-accounts.key" --service-account-signing-key-file "$PKI/service-accounts.key" \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged=true \
    --kubelet-client-certificate "$PKI/admin.crt" --kubelet-client-key "$PKI/admin.key" \
    --kubelet-preferred-address-types InternalIP

  # the controllers exit if the API server has no roles yet
  wait_for_api_server

  # half the default, so that tests of a lost node are short
  keep_running kube-controller-manager kube-controller-manager $(identify controller-manager) \
    --use-service-account-credentials --service-account-private-key-file "$PKI/service-accounts.key" \
    --root-ca-file "$PKI/ca.crt" --cluster-signing-cert-file "$PKI/ca.crt" --cluster-signing-key-file "$PKI/ca.key" \
    --node-monitor-grace-period 20s

  keep_running kube-scheduler kube-scheduler $(identify scheduler)

  configure_dns
  keep_running coredns coredns -conf $CONFIG/Corefile
}

# There is one replica of each, so leader election is off.
identify() { # NAME
  local option
  for option in kubeconfig authentication-kubeconfig authorization-kubeconfig; do
    echo "--$option $PKI/$1.kubeconfig"
  done
  echo --leader-elect=false
}

# CoreDNS also answers reverse lookups: without an answer, each gloo connection waits five seconds.
configure_dns() {
  cat >$CONFIG/Corefile <<COREFILE
.:53 {
  bind $CONTROL_PLANE
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig $PKI/dns.kubeconfig
    pods insecure
  }
}
COREFILE
}
