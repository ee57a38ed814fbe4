"""Which rows `alignment show-data` reads in which way, by the table of kinds."""

from pkgutil import resolve_name

from alignment_api.spec import kinds as api
from alignment_trainer.checks.kinds import KINDS
from alignment_trainer.data.stage_form import dpo_form, sft_form


def test_each_kind_that_trains_says_how_it_reads_rows():
    forms = {name: resolve_name(kind.form) for name, kind in KINDS.items() if api.KINDS[name].trains}
    assert forms == {"sft": sft_form, "dpo": dpo_form, "dpo_distillation": dpo_form}
