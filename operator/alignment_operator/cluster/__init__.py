"""The world of a Kubernetes cluster."""
