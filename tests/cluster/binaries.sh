# Compiles the programs of the cluster from their Go modules into $BIN.

# Without debug information, a full build takes about an eighth less time.
COMPILE=(-trimpath -gcflags=all=-dwarf=false)
STRIP="-s -w"

make_binaries() {
  export CGO_ENABLED=0 GOBIN=$BIN
  mkdir -p "$BIN"
  once "$BIN/.kubernetes" build_kubernetes "$KUBERNETES"
  once "$BIN/.coredns" build_coredns "$COREDNS" "$(cksum <"$HERE/coredns.go")"
  once "$BIN/.helm" install_program "helm.sh/helm/v3/cmd/helm@$HELM" "-X helm.sh/helm/v3/internal/version.version=$HELM"
  once "$BIN/.training-operator" install_program "github.com/kubeflow/training-operator/cmd/training-operator.v1@$TRAINING_OPERATOR"
  once "$BIN/.kubeconform" install_program "github.com/yannh/kubeconform/cmd/kubeconform@$KUBECONFORM"
}

install_program() { # MODULE@VERSION [LINKER-FLAGS]
  go install "${COMPILE[@]}" -ldflags "$STRIP ${2:-}" "$1"
}

# The kubernetes module replaces its sibling modules by local folders, which `go install` refuses. Our own module
# replaces them by their published versions.
build_kubernetes() (
  local release=${KUBERNETES#v1.} stamp=k8s.io/component-base/version name edits=() programs=()
  for name in $(siblings_of_kubernetes); do
    edits+=(-replace "$name=$name@v0.$release")
  done
  for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do
    programs+=("k8s.io/kubernetes/cmd/$name")
  done
  enter_empty_module kubernetes
  go mod edit -require "k8s.io/kubernetes@$KUBERNETES" "${edits[@]}"
  # Clients parse the server's version, so set it in the binaries.
  go build -mod=mod "${COMPILE[@]}" -o "$BIN/" -ldflags "$STRIP \
    -X $stamp.gitVersion=$KUBERNETES -X $stamp.gitMajor=1 -X $stamp.gitMinor=${release%.*}" "${programs[@]}"
)

siblings_of_kubernetes() {
  awk '$2 == "=>" { print $1 }' "$(go list -m -f '{{.GoMod}}' "k8s.io/kubernetes@$KUBERNETES")"
}

# CoreDNS with only the plugins that the cluster uses builds in a third of the time.
build_coredns() (
  enter_empty_module coredns
  cp "$HERE/coredns.go" main.go
  go mod edit -require "github.com/coredns/coredns@$COREDNS"
  go build -mod=mod "${COMPILE[@]}" -o "$BIN/coredns" -ldflags "$STRIP" .
)

enter_empty_module() {
  rm -rf "$STATE/build/$1"
  mkdir -p "$STATE/build/$1"
  cd "$STATE/build/$1"
  go mod init "cluster/$1"
}
