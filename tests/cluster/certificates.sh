# Creates one certificate authority, a certificate per component, and the kubeconfig of each component.

make_certificates() {
  once "$PKI/.certificates" issue_certificates "$SUBNET" "$SERVICES" "${NODES[*]}"
}

issue_certificates() {
  local n names
  make_key ca
  openssl req -x509 -new -key "$PKI/ca.key" -subj /CN=alignment-cluster -days $DAYS -out "$PKI/ca.crt"
  openssl genrsa -out "$PKI/service-accounts.key" 2048 2>/dev/null

  names=IP:127.0.0.1,IP:$CONTROL_PLANE,IP:$SERVICES.1,DNS:localhost
  names+=,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
  issue apiserver /CN=kube-apiserver "$names"

  issue_client admin /O=system:masters/CN=admin
  issue_client controller-manager /CN=system:kube-controller-manager
  issue_client scheduler /CN=system:kube-scheduler
  issue_client proxy /CN=system:kube-proxy
  issue_client dns /O=system:masters/CN=dns
  for n in "${NODES[@]}"; do
    # includes the address, because the kubelet also serves its port with this certificate
    issue_client "node-$n" "/O=system:nodes/CN=system:node:node-$n" "DNS:node-$n,IP:$(address "$n")"
  done
}

DAYS=3650

make_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$PKI/$1.key"; }

issue() { # NAME SUBJECT ALTERNATIVE-NAMES
  make_key "$1"
  openssl req -new -key "$PKI/$1.key" -subj "$2" |
    openssl x509 -req -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial -days $DAYS -out "$PKI/$1.crt" \
      -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3") 2>/dev/null
}

issue_client() { # NAME SUBJECT [ALTERNATIVE-NAMES]
  issue "$1" "$2" "${3:-DNS:$1}"
  cat >"$PKI/$1.kubeconfig" <<KUBECONFIG
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: $1}}]
clusters:
- name: test
  cluster: {server: "https://$CONTROL_PLANE:6443", certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")}
users:
- name: $1
  user: {client-certificate-data: $(base64 -w0 "$PKI/$1.crt"), client-key-data: $(base64 -w0 "$PKI/$1.key")}
KUBECONFIG
  chmod 600 "$PKI/$1.kubeconfig"
}
