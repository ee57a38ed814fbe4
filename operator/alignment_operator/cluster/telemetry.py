"""The metrics that the operator serves to Prometheus."""

from prometheus_client import Counter, Gauge, Histogram, start_http_server

RECONCILES = Counter("alignment_reconciles_total", "Reconciles of AlignmentJobs.", ["outcome"])
RECONCILE_SECONDS = Histogram(
    "alignment_reconcile_seconds", "Time of one reconcile.", buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
)
QUEUE_LENGTH = Gauge("alignment_queue_length", "Jobs that are being reconciled or wait for it.")
LEADER = Gauge("alignment_leader", "1 while this replica reconciles.")
SCOPES_HELD = Gauge("alignment_scopes_held", "Scopes that this operator reconciles: namespaces, or 1 for all of them.")
SCOPES_LEFT_ALONE = Gauge("alignment_scopes_left_alone", "Scopes that this operator watches and another operator reconciles.")
TRACKING_REACHABLE = Gauge("alignment_tracking_reachable", "1 while MLflow answers.")
PODS_UNHEARD = Gauge("alignment_pods_unheard", "Running attempts whose pod did not answer the last request.")
WATCH_EVENTS = Counter("alignment_watch_events_total", "Watch events by kind of object.", ["kind"])


def serve(port: int) -> None:
    """Serve /metrics."""
    start_http_server(port)
