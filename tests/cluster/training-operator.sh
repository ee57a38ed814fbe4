# Installs Kubeflow's training-operator from the manifests in its module.

install_training_operator() {
  once "$STATE/training-operator/.manifest" render_training_operator "$TRAINING_OPERATOR_IMAGE" "$WORKER_INIT_IMAGE"
  kubectl apply --server-side --force-conflicts --filename "$STATE/training-operator/manifest.yaml" >/dev/null
  kubectl --namespace kubeflow rollout status deployment/training-operator --timeout 120s >/dev/null
  within 60 webhook_answers || fail "The training-operator's webhook does not answer."
}

render_training_operator() { # IMAGE WORKER-INIT-IMAGE
  local folder=$STATE/training-operator/source module
  module=$(go mod download -json "github.com/kubeflow/training-operator@$TRAINING_OPERATOR" | jq -r .Dir)
  rm -rf "$folder"
  cp -r "$module/manifests" "$folder"
  chmod -R u+w "$folder"
  # It runs on the first node, so that a test that stops the second node loses only workers.
  # Its readiness is probed often, because every start of the cluster waits for it.
  cat >"$folder/kustomization.yaml" <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [overlays/standalone]
patches:
- target: {kind: Deployment, name: training-operator}
  patch: |
    - {op: replace, path: /spec/template/spec/containers/0/image, value: "$1"}
    - {op: add, path: /spec/template/spec/nodeSelector, value: {kubernetes.io/hostname: node-1}}
    - {op: replace, path: /spec/template/spec/containers/0/readinessProbe/initialDelaySeconds, value: 1}
    - {op: replace, path: /spec/template/spec/containers/0/readinessProbe/periodSeconds, value: 1}
    - op: add
      path: /spec/template/spec/containers/0/args
      value: [--enable-scheme=pytorchjob, --pytorch-init-container-image=$2]
YAML
  kubectl kustomize "$folder" >"$STATE/training-operator/manifest.yaml"
}

# Readiness is not enough: the API server must also trust the certificate that the operator created for itself.
webhook_answers() {
  kubectl create --dry-run=server --request-timeout 5s --filename - <<YAML
apiVersion: kubeflow.org/v1
kind: PyTorchJob
metadata: {name: probe, namespace: default}
spec:
  pytorchReplicaSpecs:
    Master: {replicas: 1, template: {spec: {containers: [{name: pytorch, image: "$PYTHON_IMAGE"}]}}}
YAML
}
