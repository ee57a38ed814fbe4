"""Which backend runs stages on a cluster, and which on one machine."""

from alignment_operator.backends import Backend, ClusterBackend, process, pytorchjob
from alignment_operator.backends.process import SeenProcess

ON_CLUSTER: ClusterBackend = pytorchjob
ON_MACHINE: Backend[SeenProcess] = process
