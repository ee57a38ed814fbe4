"""Direct preference optimization on pairs of answers."""

from typing import Any

from alignment_api.run_config import RunConfig
from trl import DPOConfig, DPOTrainer

from alignment_trainer import data, deepspeed, measurements, models, result
from alignment_trainer.arguments import training_arguments
from alignment_trainer.measuring import Measuring
from alignment_trainer.settings import dpo_settings, training_settings
from alignment_trainer.stopping import StopRequest
from alignment_trainer.sums import Measured
from alignment_trainer.training import find_checkpoint, train

_LOSSES = {
    "Sigmoid": "sigmoid",
    "IPO": "ipo",
    "Hinge": "hinge",
    "Robust": "robust",
    "APOZero": "apo_zero",
    "APODown": "apo_down",
}


class _PreparedDPOTrainer(Measuring, DPOTrainer):  # type: ignore[misc]
    """Takes rows as tokens, as our data come; TRL's own trainer would tokenize them on every process."""

    def measure(self, inputs: dict[str, Any], forwards: list[Any], loss: Any) -> dict[str, Measured]:
        """Measure pairs; no reference answers where its log-probabilities come with the rows."""
        policy, *reference = forwards
        return measurements.of_pairs(inputs, policy, reference[0] if reference else None, loss, self.beta)

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


def run(config: RunConfig, request: StopRequest) -> None:
    """Train the stage and publish its model."""
    settings, own = training_settings(config), dpo_settings(config)
    checkpoint = find_checkpoint(config, settings)
    arguments = DPOConfig(
        **training_arguments(config, settings, is_resumed=checkpoint is not None),
        max_length=settings.max_length,
        beta=own.beta,
        loss_type=[_LOSSES[own.loss]],
        label_smoothing=own.label_smoothing,
        disable_dropout=True,
    )
    deepspeed.initialize(settings)

    start = models.start_folder(config)
    start_digest = result.check_start(start)
    tokenizer = models.load_tokenizer(start, settings, needs_marks=False)
    rows = data.dpo_data(config, settings, tokenizer)
    model = models.load_model(start, settings)
    models.check_vocabulary(model, tokenizer)
    # What holds the policy back is the model it starts from; beside an adapter that is the model without it.
    reference = None if settings.adapter else models.load_model(start, settings)

    trainer = _PreparedDPOTrainer(
        model=model,
        ref_model=reference,
        args=arguments,
        train_dataset=rows.train,
        eval_dataset=rows.held_out,
        processing_class=tokenizer,
        peft_config=models.lora(settings, model),
    )
    train(trainer, config, settings, checkpoint, request, rows, start)
    result.publish(config, settings, tokenizer, rows, start, start_digest)
