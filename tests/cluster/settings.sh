# Names, addresses, versions and folders that all parts of the test cluster share.

STATE=${ALIGNMENT_CLUSTER_STATE:-$HOME/.cache/alignment-operator/cluster}
BIN=$STATE/bin
PKI=$STATE/pki
export KUBECONFIG=$PKI/admin.kubeconfig
export PATH=$BIN:$PATH

NODES=(1 2)                      # node 1 also carries the control plane
BRIDGE=alignment0
SUBNET=10.245.0                  # node N is $SUBNET.1N
HOST=$SUBNET.1
CONTROL_PLANE=$SUBNET.11
PODS=10.244                      # the pods of node N are $PODS.N.0/24
SERVICES=10.96.0
REGISTRY=$HOST:5000

KUBERNETES=v1.37.1
COREDNS=v1.14.6
HELM=v3.21.4
KUBECONFORM=v0.7.0
TRAINING_OPERATOR=v1.9.4

PYTHON_IMAGE=$REGISTRY/python:3.11-slim
PAUSE_IMAGE=$REGISTRY/pause:1
TRAINING_OPERATOR_IMAGE=$REGISTRY/training-operator:$TRAINING_OPERATOR
WORKER_INIT_IMAGE=$REGISTRY/worker-init:1

GPUS=8                           # the number that each node reports; none of them is real
GPU_PRODUCT=NVIDIA-A100-SXM4-80GB

address() { echo "$SUBNET.1$1"; }
