"""What the tests of asking share: the tokenizer of the tiny model."""

import pytest
from transformers import AutoTokenizer


@pytest.fixture(scope="session")
def tokenizer(workspace):
    return AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")
