"""Supervised fine-tuning on dialogues."""

from typing import Any

from alignment_api.run_config import RunConfig
from trl import SFTConfig, SFTTrainer

from alignment_trainer.data import dataset
from alignment_trainer.models import memory, merging
from alignment_trainer.models.adapters import lora
from alignment_trainer.models.loading import check_packing, load_model
from alignment_trainer.models.start import check_start, start_folder
from alignment_trainer.models.tokenizer import check_vocabulary, load_tokenizer
from alignment_trainer.settings.training import sft_settings, training_settings
from alignment_trainer.training import deepspeed, measurements, publishing
from alignment_trainer.training.arguments import training_arguments
from alignment_trainer.training.exact_means import Measuring
from alignment_trainer.training.publishing import Trained
from alignment_trainer.training.run import find_checkpoint, train
from alignment_trainer.training.stepping import Stepping
from alignment_trainer.training.sums import Measured


class _MeasuredSFTTrainer(Stepping, Measuring, SFTTrainer):  # type: ignore[misc]
    def measure(self, inputs: dict[str, Any], answer: Any, loss: Any) -> dict[str, Measured]:
        """Measure dialogues."""
        return measurements.of_dialogues(inputs, answer)


def run(config: RunConfig) -> None:
    """Train the stage and publish its model; by then nothing is left of what trained it."""
    trained = _train(config)
    publishing.publish(config, trained)


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

    start = start_folder(config)
    memory.check(config, start)
    start_digest = check_start(config, start, checkpoint)
    merging.check(start, settings)
    tokenizer = load_tokenizer(start, settings, needs_marks=own.assistant_only_loss)
    rows = dataset.sft_data(config, settings, tokenizer, own.assistant_only_loss)
    model = load_model(start, settings)
    check_vocabulary(model, tokenizer)
    if own.packing:
        check_packing(model, settings)

    trainer = _MeasuredSFTTrainer(
        rows_per_step=settings.global_batch_size,
        model=model,
        args=arguments,
        train_dataset=rows.train,
        eval_dataset=rows.held_out,
        processing_class=tokenizer,
        peft_config=lora(settings, model),
    )
    train(trainer, config, settings, checkpoint, rows, start)
    deepspeed.release(trainer)
    return Trained(settings, tokenizer, rows.report, start, start_digest)
