"""The namespaces that the suite creates."""

RELEASES, JOBS, OTHERS = "alignment-suite", "alignment-suite-jobs", "alignment-suite-others"
