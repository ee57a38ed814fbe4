from typing import Any

import pytest
from alignment_api.memory.known_sizes import accelerator_bytes, known_base_shape, known_models, known_shape
from alignment_api.memory.shape import shape_of
from alignment_api.resolving.recipes import recipe_names, resolve
from alignment_api.spec.compute import Compute
from alignment_api.spec.job import AlignmentJobSpec

GIBIBYTE = 2**30


@pytest.mark.parametrize("model", known_models(), ids=lambda model: model["names"][0])
def test_the_count_that_follows_from_the_sizes_is_the_published_one(model: dict[str, Any]) -> None:
    assert shape_of(model["config"]).parameters == model["parameters"]


def test_every_model_is_listed_once() -> None:
    names = [name for model in known_models() for name in model["names"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("recipe", recipe_names())
def test_the_models_of_the_recipes_are_known(recipe: str) -> None:
    spec = resolve(AlignmentJobSpec(recipe=recipe)).spec
    assert known_base_shape(spec) is not None
    product = (spec.compute or Compute()).accelerator_type
    assert product is None or accelerator_bytes(product) is not None


@pytest.mark.parametrize("uri", ["hf://nobody/nothing", "workspace://mistralai/Mistral-7B-v0.1", "s3://a/b"])
def test_other_models_are_unknown(uri: str) -> None:
    assert known_shape(uri) is None


def test_a_job_that_names_no_model_has_no_known_one() -> None:
    assert known_base_shape(AlignmentJobSpec(recipe="tutor-lora")) is None


@pytest.mark.parametrize(
    ("product", "gibibytes"),
    [
        ("NVIDIA-A100-SXM4-80GB", 80),
        ("NVIDIA-A100-PCIE-40GB", 40),
        ("A100-SXM4-40GB", 40),
        ("NVIDIA-H100-80GB-HBM3", 80),
        ("Tesla-V100-SXM2-32GB", 32),
        ("Tesla-T4", 15),
        ("NVIDIA-H200", 143771 / 1024),
        ("NVIDIA-L4", 23034 / 1024),
    ],
)
def test_memory_by_node_label(product: str, gibibytes: float) -> None:
    assert accelerator_bytes(product) == gibibytes * GIBIBYTE


@pytest.mark.parametrize(
    "product",
    [
        "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb",
        "NVIDIA-A100-SXM4-80GB-SHARED",
        "Tesla-T4-SHARED",
        "NVIDIA-Next",
        "H100",
        "NVIDIA-GH200-480GB",
    ],
)
def test_the_memory_of_an_unknown_gpu_is_not_guessed(product: str) -> None:
    assert accelerator_bytes(product) is None
