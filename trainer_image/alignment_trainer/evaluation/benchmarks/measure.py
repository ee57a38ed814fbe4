"""How a benchmark of lm-eval is measured."""

from alignment_trainer.evaluation.benchmarks.figures import figures_of
from alignment_trainer.evaluation.benchmarks.measuring import measure_benchmark
from alignment_trainer.evaluation.benchmarks.opening import seen_in, settings_of
from alignment_trainer.evaluation.measure import Measure

MEASURE = Measure(figures_of, settings_of, measure_benchmark, seen=seen_in)
