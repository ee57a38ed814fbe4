import pytest
from alignment_trainer.model_folder.chat_template import Named
from alignment_trainer.templates.fitness import template_fault
from alignment_trainer.templates.named import NAMED
from template_families import BOS, CONTROL_TOKENS, EOS, FAMILIES, UNFIT

ADVICE = ", so the answers cannot be distinguished from the rest; choose Zephyr or ChatML, or set assistantOnlyLoss to false"


def fault(source, needs_answers=True):
    return template_fault(Named(source, {"bos_token": BOS, "eos_token": EOS}, CONTROL_TOKENS), needs_answers)


@pytest.mark.parametrize("template", [*NAMED.values(), *(family.template for family in FAMILIES.values())])
def test_these_can_be_used(template):
    assert fault(template) is None
    assert fault({"default": template, "tool_use": template}) is None


@pytest.mark.parametrize(("template", "said"), UNFIT.values(), ids=UNFIT)
def test_the_answers_of_these_cannot_be_found(template, said):
    assert fault(template) == said + ADVICE
    assert fault(template, needs_answers=False) is None


def test_a_template_cannot_fill_the_memory():
    said = "the chat template does not write a question and its answer (the template repeats a value 10000000000 times)"
    assert fault("{{ 'a' * 10000000000 }}") == said + ADVICE
    said = "the chat template does not write a question and its answer (the template computes a power of 100000)"
    assert fault("{{ 10 ** 100000 }}") == said + ADVICE


MARKS = {
    "the question": "{{ m.content if m.role != 'user' }}{% generation %}{{ m.content if m.role == 'user' }}{% endgeneration %}",
    "nothing": "{{ m.content }}{% generation %}{% endgeneration %}",
}


@pytest.mark.parametrize("body", MARKS.values(), ids=MARKS)
def test_marks_around_something_else_are_refused(body):
    said = "the chat template does not mark message 2 (assistant) as an answer (a question and its answer)"
    assert fault("{% for m in messages %}" + body + "{{ eos_token }}{% endfor %}") == said + ADVICE


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for m in messages %}\n{{ m.content }\n{% endfor %}", "line 2: unexpected '}'"),
        ("{% for m in messages %}\n\n{{ m.content }}", "line 3: Unexpected end of template."),
        ("{% generation %}{{ messages }}", "line 1: Unexpected end of template."),
        ("{{ messages | shout }}", "line 1: No filter named 'shout'."),
        ({"default": "{{ messages }}", "tool_use": "{% if %}"}, "line 1: Expected an expression, got 'end of statement block'"),
    ],
)
@pytest.mark.parametrize("needs_answers", [True, False])
def test_a_template_that_does_not_parse_is_distinguished_from_one_without_marks(template, said, needs_answers):
    found = fault(template, needs_answers)
    assert found.startswith(f"the model's own chat template is not valid Jinja ({said}")
    assert found.endswith("correct it in the model's folder, or choose Zephyr or ChatML")


def test_a_model_without_a_template_may_be_trained_on_texts():
    assert fault(None) is None


def test_names_without_a_default_are_refused_where_answers_are_needed():
    template = FAMILIES["names in words"].template
    assert fault({"rag": template}) == (
        "the chat template does not write a question and its answer (it has only the names rag, and none is default)" + ADVICE
    )
