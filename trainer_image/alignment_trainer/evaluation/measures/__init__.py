"""The measures that are no benchmarks of lm-eval: what a model does with each row, and which figures follow."""
