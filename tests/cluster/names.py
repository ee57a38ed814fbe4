"""The namespaces that the suite creates."""

RELEASES, JOBS, OTHERS, DELAYED = "alignment-suite", "alignment-suite-jobs", "alignment-suite-others", "alignment-suite-delayed"
