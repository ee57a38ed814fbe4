"""Reads the settings of a stage that writes a model for serving; refuses missing values with a sentence."""

from dataclasses import dataclass

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset
from alignment_api.spec.settings.export import Export, Proof

from alignment_trainer.settings.given import given, stage_path


@dataclass(frozen=True)
class ProofSettings:
    """On what the written folder is measured, and the limits beyond which the stage fails."""

    path: str
    """The field of these settings in the job, for messages."""
    dataset: Dataset
    maximum_tokens: int
    maximum_divergence: float | None
    maximum_perplexity_increase: float | None
    minimum_agreement: float | None


@dataclass(frozen=True)
class ExportSettings:
    """The settings of a stage that writes a model for serving."""

    path: str
    """The field of these settings in the job, for messages."""
    quantization: str
    chat_template: str
    calibration: Dataset | None
    proof: ProofSettings | None
    destinations: list[str]
    registered_model: str | None
    seed: int


def export_settings(config: RunConfig) -> ExportSettings:
    """Return the settings of a stage that writes a model for serving."""
    path, settings = stage_path(config), config.stage.settings
    assert isinstance(settings, Export)
    model = given(config.spec.model, "spec.model")
    return ExportSettings(
        path=path,
        quantization=given(settings.quantization, f"{path}.quantization"),
        chat_template=given(model.chat_template, "spec.model.chatTemplate"),
        calibration=settings.calibration,
        proof=_proof(settings.proof, f"{path}.proof") if settings.proof else None,
        destinations=settings.destinations or [],
        registered_model=settings.registered_model,
        seed=given(settings.seed, f"{path}.seed"),
    )


def _proof(proof: Proof, path: str) -> ProofSettings:
    return ProofSettings(
        path=path,
        dataset=proof.dataset,
        maximum_tokens=given(proof.maximum_tokens, f"{path}.maximumTokens"),
        maximum_divergence=proof.maximum_divergence,
        maximum_perplexity_increase=proof.maximum_perplexity_increase,
        minimum_agreement=proof.minimum_agreement,
    )
