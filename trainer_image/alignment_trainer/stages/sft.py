"""Supervised fine-tuning on dialogues."""

from typing import Any

from alignment_api.run_config import RunConfig
from trl import SFTConfig, SFTTrainer

from alignment_trainer import base_model, data, deepspeed, measurements, memory, merging, models, result
from alignment_trainer.arguments import training_arguments
from alignment_trainer.measuring import Measuring
from alignment_trainer.result import Trained
from alignment_trainer.settings import sft_settings, training_settings
from alignment_trainer.stepping import Stepping
from alignment_trainer.sums import Measured
from alignment_trainer.training import find_checkpoint, train


class _MeasuredSFTTrainer(Stepping, Measuring, SFTTrainer):  # type: ignore[misc]
    def measure(self, inputs: dict[str, Any], answer: Any, loss: Any) -> dict[str, Measured]:
        """Measure dialogues."""
        return measurements.of_dialogues(inputs, answer)


def run(config: RunConfig) -> None:
    """Train the stage and publish its model; by then nothing is left of what trained it."""
    trained = _train(config)
    result.publish(config, trained)


def _train(config: RunConfig) -> Trained:
    settings, own = training_settings(config), sft_settings(config)
    checkpoint = find_checkpoint(config, settings)
    arguments = SFTConfig(
        **training_arguments(config, settings, is_resumed=checkpoint is not None),
        max_length=settings.max_length,
        packing=own.packing,
        packing_strategy="bfd",
        eval_packing=False,
        # Rows come tokenized, with labels only where something is to be learned.
        assistant_only_loss=False,
    )
    deepspeed.initialize(settings)

    start = base_model.start_folder(config)
    memory.check(config, start)
    start_digest = base_model.check_start(config, start, checkpoint)
    merging.check(start, settings)
    tokenizer = models.load_tokenizer(start, settings, needs_marks=own.assistant_only_loss)
    rows = data.sft_data(config, settings, tokenizer, own.assistant_only_loss)
    model = models.load_model(start, settings)
    models.check_vocabulary(model, tokenizer)
    if own.packing:
        models.check_packing(model, settings)

    trainer = _MeasuredSFTTrainer(
        rows_per_step=settings.global_batch_size,
        model=model,
        args=arguments,
        train_dataset=rows.train,
        eval_dataset=rows.held_out,
        processing_class=tokenizer,
        peft_config=models.lora(settings, model),
    )
    train(trainer, config, settings, checkpoint, rows, start)
    deepspeed.release(trainer)
    return Trained(settings, tokenizer, rows.report, start, start_digest)
