"""What only limits or pays for a stage's requests is told apart from what shapes its answers."""

from typing import Any

from alignment_api.resolving.validation import read_job, resolve_job
from alignment_api.spec.lineage import LIMITS, limits, shaping, with_limits_of
from alignment_api.spec.stages import Stage
from builders import a_document

PRICE = {"promptPerMillionTokens": 0.5, "answerPerMillionTokens": 1.5}
TEACHER = {"baseUrl": "http://teacher:8000/v1", "model": "t"}
ROWS = [{"uri": "workspace://rows.jsonl"}]


def distill(**settings: Any) -> Any:
    return Stage.parse({"name": "a", "distill": {"teachers": [TEACHER, {**TEACHER, "model": "u"}], "prompts": ROWS, **settings}})


def limited(cost: float, concurrency: int) -> Any:
    teachers = [TEACHER, {**TEACHER, "model": "u", "price": PRICE, "concurrency": concurrency}]
    return distill(teachers=teachers, budget={"cost": cost}, maximumFailedShare=0.5)


def test_settings_are_shaping_or_limits() -> None:
    assert shaping(limited(5, 8).settings) == shaping(distill().settings) == distill().settings.dump()
    assert limits(limited(5, 8).settings) == {
        "teachers": [None, {"price": PRICE, "concurrency": 8}],
        "budget": {"cost": 5},
        "maximumFailedShare": 0.5,
    }


def test_a_stage_that_asks_nobody_has_no_limits() -> None:
    for stage in resolve_job(read_job(a_document())).spec.stages or []:
        assert limits(stage.settings) is None
        assert shaping(stage.settings) == stage.settings.dump()


def test_the_newer_limits_replace_the_older_and_what_shapes_stays() -> None:
    made = with_limits_of(limited(5, 8).settings, limited(9, 2).settings)
    assert made == limited(9, 2).settings
    assert with_limits_of(limited(5, 8).settings, distill(systemPrompt="Be brief.").settings) == distill().settings


def test_of_other_teachers_no_limits_are_taken_over() -> None:
    made = with_limits_of(limited(5, 8).settings, distill(teachers=[{**TEACHER, "concurrency": 3}]).settings)
    assert limits(made) == {"teachers": [None, {"price": PRICE, "concurrency": 8}]}


def test_where_an_export_goes_and_how_close_it_must_come_shape_no_weight() -> None:
    proof = {"dataset": ROWS[0], "maximumTokens": 100}
    plain = Stage.parse({"name": "a", "export": {"quantization": "Int8", "proof": proof}})
    more = {"destinations": ["s3://bucket/a"], "registeredModel": "mine"}
    limit = {"maximumDivergence": 0.1, "maximumPerplexityIncrease": 0.1, "minimumAgreement": 0.9}
    full = Stage.parse({"name": "a", "export": {"quantization": "Int8", "proof": {**proof, **limit}, **more}})
    assert shaping(full.settings) == plain.settings.dump()
    assert limits(full.settings) == {**more, "proof": limit}
    assert with_limits_of(plain.settings, full.settings) == full.settings


def test_every_limit_is_a_field() -> None:
    def names(model: Any) -> set[str]:
        return set(model.get("properties", {})).union(*(names(known) for known in model.get("$defs", {}).values()))

    assert names(Stage.model_json_schema()) >= LIMITS
