"""The learning rates and betas that methods usually take, and when a value is far from them; pure."""

from typing import NamedTuple

from alignment_api.spec.stages import PreferenceSettings, TrainingSettings

_FAR = 10
_FAR_FOR_SMALL_MODELS = 100
SMALL_MODEL = 50_000_000
"""Models with fewer weights are trained with much larger rates than those that the published recipes train."""


class Usual(NamedTuple):
    """The usual range of a value, and who takes which."""

    low: float
    high: float
    examples: str

    def remark(self, value: float, of: str, far_above: int = _FAR) -> str | None:
        """Return in words that a value is far from the range; None if it is not."""
        # A tenth of a low end such as 1e-6 is not exact in binary.
        if value > self.high * far_above * (1 + 1e-9):
            how = f"is {_times(value / self.high)} times the largest"
        elif value < self.low / _FAR * (1 - 1e-9):
            how = f"is {_times(self.low / value)} times smaller than the smallest"
        else:
            return None
        usual = f"{self.low:g} to {self.high:g} ({self.examples})"
        return f"{value:g} {how} that is usual for {of}, {usual}; correct it, unless it is meant"


_ALL_WEIGHTS, _ADAPTER = "all weights", "an adapter"
_RATES = {
    ("SFT", _ALL_WEIGHTS): Usual(1e-6, 1e-4, "Zephyr and the handbook take 2e-05, Tülu 3 takes 5e-06"),
    ("SFT", _ADAPTER): Usual(1e-5, 1e-3, "the handbook takes 0.0002, the EPFL tutor 5e-05"),
    ("preferences", _ALL_WEIGHTS): Usual(1e-7, 1e-5, "Zephyr and the handbook take 5e-07, the DPO paper 1e-06"),
    ("preferences", _ADAPTER): Usual(1e-6, 1e-4, "the handbook takes 5e-06, the EPFL tutor 5e-05, DPO-KD 0.0001"),
}
_DPO_BETA = Usual(0.01, 0.5, "the handbook takes 0.01, Zephyr 0.1, the DPO paper 0.1 and 0.5")
_APO_BETA = Usual(0.01, 0.5, "SmolLM3 takes 0.05, the APO paper 0.1")
_WIDE_BETA = Usual(0.01, 1, "TRL takes 0.1; Hugging Face's comparison of DPO and IPO tried 0.01 to 0.9")
_BETAS = {
    "Sigmoid": _DPO_BETA,
    "Robust": _DPO_BETA,
    "APOZero": _APO_BETA,
    "APODown": _APO_BETA,
    "IPO": _WIDE_BETA,
    "Hinge": _WIDE_BETA,
}


def rate_remark(settings: TrainingSettings, parameters: int | None) -> str | None:
    """Return in words that a stage's learning rate is far from the usual ones; `parameters` are the model's, if known."""
    rate = settings.optimization.learning_rate if settings.optimization else None
    if rate is None:
        return None
    method = "preferences" if isinstance(settings, PreferenceSettings) else "SFT"
    trained = _ADAPTER if settings.adapter and settings.adapter.lora else _ALL_WEIGHTS
    may_be_small = parameters is None or parameters < SMALL_MODEL
    far_above = _FAR_FOR_SMALL_MODELS if may_be_small else _FAR
    return _RATES[method, trained].remark(rate, f"{method} with {trained}", far_above)


def beta_remark(settings: PreferenceSettings) -> str | None:
    """Return in words that a stage's beta is far from those that its loss usually takes."""
    if settings.beta is None or settings.loss is None:
        return None
    return _BETAS[settings.loss].remark(settings.beta, f"the loss {settings.loss}")


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio < 1e9 else f"{ratio:.0e}"
