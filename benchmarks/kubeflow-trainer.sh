#!/usr/bin/env bash
# Installs Kubeflow Trainer and JobSet on the test cluster for the comparison in benchmarks/operator.py: kubeflow-trainer.sh up|down

set -euo pipefail
BESIDE=$(dirname "$(readlink -f "$0")")
HERE=$BESIDE/../tests/cluster
for part in settings steps binaries images; do . "$HERE/$part.sh"; done

TRAINER=v2.1.0
JOBSET=v0.10.1
TRAINER_IMAGE=$REGISTRY/kubeflow-trainer:$TRAINER
JOBSET_IMAGE=$REGISTRY/jobset:$JOBSET
FOLDER=$STATE/kubeflow-trainer

up() {
  export CGO_ENABLED=0 GOBIN=$BIN
  once "$FOLDER/.trainer" build trainer github.com/kubeflow/trainer/v2 "$TRAINER" cmd/trainer-controller-manager
  once "$FOLDER/.jobset" build jobset sigs.k8s.io/jobset "$JOBSET" .
  once "$FOLDER/.trainer-image" controller_image "$BIN/trainer" "$TRAINER_IMAGE"
  once "$FOLDER/.jobset-image" controller_image "$BIN/jobset" "$JOBSET_IMAGE"
  render_jobset
  render_trainer
  kubectl apply --server-side --force-conflicts --filename "$FOLDER/jobset.yaml" >/dev/null
  kubectl --namespace jobset-system rollout status deployment/jobset-controller-manager --timeout 180s
  kubectl apply --server-side --force-conflicts --filename "$FOLDER/trainer.yaml" >/dev/null
  kubectl --namespace kubeflow-system rollout status deployment/kubeflow-trainer-controller-manager --timeout 180s
  within 120 apply_runtime || fail "The webhook of Kubeflow Trainer does not answer."
}

down() {
  kubectl delete --ignore-not-found --filename "$FOLDER/trainer.yaml" --filename "$FOLDER/jobset.yaml" >/dev/null
}

build() ( # NAME MODULE VERSION PACKAGE
  enter_empty_module "$1"
  go mod edit -require "$2@$3"
  go build -mod=mod "${COMPILE[@]}" -ldflags "$STRIP" -o "$BIN/$1" "$2/${4#.}"
)

controller_image() { # PROGRAM IMAGE
  local container
  container=$(image_tool from scratch)
  image_tool copy --quiet "$container" "$1" /manager >/dev/null
  image_tool config --user 65532:65532 --entrypoint '["/manager"]' "$container"
  publish "$container" "$2"
}

copy_module() { # MODULE VERSION SUBFOLDER NAME
  rm -rf "${FOLDER:?}/$4"
  mkdir -p "$FOLDER"
  cp -r "$(go mod download -json "$1@$2" | jq -r .Dir)/$3" "$FOLDER/$4"
  chmod -R u+w "$FOLDER/$4"
}

# Our images have both controllers at /manager, whatever path the manifests use.
with_image() { # IMAGE
  jq --arg image "$1" 'if .kind == "Deployment"
    then .spec.template.spec.containers[0] |= (.image = $image | .command = ["/manager"] | .imagePullPolicy = "IfNotPresent") | .spec.replicas = 1
    else . end'
}

as_json() { kubectl create --dry-run=client --validate=false --output json --filename - | jq 'if .kind == "List" then .items[] else . end'; }

render_jobset() {
  copy_module sigs.k8s.io/jobset "$JOBSET" config jobset
  kubectl kustomize "$FOLDER/jobset/default" | as_json | with_image "$JOBSET_IMAGE" >"$FOLDER/jobset.yaml"
}

render_trainer() {
  copy_module github.com/kubeflow/trainer/v2 "$TRAINER" manifests trainer
  # JobSet is installed from its own module: this line refers to an external address.
  sed -i '/third-party\/jobset/d' "$FOLDER/trainer/overlays/manager/kustomization.yaml"
  kubectl kustomize "$FOLDER/trainer/overlays/manager" | as_json | with_image "$TRAINER_IMAGE" >"$FOLDER/trainer.yaml"
}

apply_runtime() {
  kubectl apply --server-side --filename - <<YAML
apiVersion: trainer.kubeflow.org/v1alpha1
kind: ClusterTrainingRuntime
metadata:
  name: benchmark
  labels: {trainer.kubeflow.org/framework: torch}
spec:
  mlPolicy: {numNodes: 2, torch: {numProcPerNode: 8}}
  template:
    spec:
      replicatedJobs:
      - name: node
        template:
          metadata: {labels: {trainer.kubeflow.org/trainjob-ancestor-step: trainer}}
          spec:
            template:
              spec:
                containers:
                - {name: node, image: "$PYTHON_IMAGE", command: [sleep, "3600"]}
YAML
}

case ${1:-} in
up | down) "$1" ;;
*) fail "usage: kubeflow-trainer.sh up|down" ;;
esac
