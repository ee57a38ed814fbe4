"""The commands of `alignment`: each takes its options, acts, and returns its exit code."""
