"""The namespaces that the suite makes for itself."""

RELEASES, JOBS, OTHERS = "alignment-suite", "alignment-suite-jobs", "alignment-suite-others"
