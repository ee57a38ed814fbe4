"""Looks for NaN and infinity in a model's weights while they are hashed, so that each file is read once."""

import hashlib
import math
from pathlib import Path

import torch

from alignment_trainer.model_folder.headers import weight_files
from alignment_trainer.models.tensor_files import TYPES, StoredTensor, tensors_of
from alignment_trainer.workspace.activity import Advance
from alignment_trainer.workspace.hashes import hash_files


class Scan:
    """Hashes weight files whose headers were checked, and remembers the first tensor that is not finite."""

    def __init__(self) -> None:
        self.found: StoredTensor | None = None
        self.value = ""

    def digest(self, folder: Path) -> str:
        """Return the same hash as weights_digest."""
        return hash_files(weight_files(folder), self._hash_file)

    def _hash_file(self, path: Path, advance: Advance) -> str:
        digest = hashlib.sha256()
        tensors = tensors_of(path)
        with path.open("rb") as file:
            digest.update(file.read(min((tensor.begin for tensor in tensors), default=-1)))
        for tensor in tensors:
            for piece in tensor.pieces():
                digest.update(piece)
                self._look(tensor, piece)
                advance(len(piece))
        return digest.hexdigest()

    def _look(self, tensor: StoredTensor, piece: bytearray) -> None:
        if self.found or tensor.kind not in TYPES:
            return
        # aminmax passes NaN on, and is ten times as fast as isfinite.
        least, most = torch.aminmax(torch.frombuffer(piece, dtype=TYPES[tensor.kind]))
        value = next((number for number in (least.item(), most.item()) if not math.isfinite(number)), None)
        if value is not None:
            self.found, self.value = tensor, "NaN" if math.isnan(value) else "infinity"
