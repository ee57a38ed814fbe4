"""Builds workloads for tests of memory; what a test does not name has a harmless value."""

from typing import Any

from alignment_api.memory.workload import AdapterSize, Workload

LORA = AdapterSize(rank=16, layers=None, drops=False, is_quantized=False)
QLORA = LORA._replace(is_quantized=True)


def a_workload(**others: Any) -> Workload:
    harmless = Workload(
        compares_pairs=False,
        max_length=2048,
        packs=False,
        shares_prompts=False,
        is_16_bit=True,
        optimizer="AdamW",
        adapter=None,
        micro_batch_size=1,
        processes=1,
        sharding="None",
        offload="None",
        gradient_checkpointing=True,
    )
    return harmless._replace(**others)
