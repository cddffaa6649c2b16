"""Options of simulated nights, and which mechanisms of the ground truth are at work."""

from __future__ import annotations

from typing import Literal

from hypnoflow.config.section import Section, option

Acts = Literal["both", "macro", "micro", "none"]


class Effects(Section):
    """Where age, sex and apnea act on a simulated night; the defaults are as in humans.

    The macrostructure is latency, awakenings, bouts and deep sleep; the microstructure is arousals. What is switched
    off stays at that of a person of 50 years, between the sexes, or without apnea. With "micro" anywhere, arousals
    that would change the majority stage of a 30-s epoch are left out, so that the hypnogram at 30 s cannot tell.
    """

    age: Acts = option(
        "both", "What age moves: macrostructure and the signals' slow waves and spindles, arousals, both or none."
    )
    sex: Acts = option("both", "What sex moves: deep sleep and slow waves (macro), arousals (micro), both or none.")
    apnea: Acts = option(
        "both",
        "What respiratory events move: wake and deep sleep (macro), arousals after them (micro), both or none.",
    )
    site_noise: float = option(
        0.0,
        "Log-SD between cohorts of one factor on ambiguity, experts' noise and artefacts; 0 makes all cohorts alike.",
        "1",
        ge=0,
        le=1,
    )

    @property
    def keep_30_s(self) -> bool:
        """Whether arousals must leave the 30-s hypnogram as it is."""
        return "micro" in (self.age, self.sex, self.apnea)


class Simulate(Section):
    night_h: float = option(4.0, "Mean length of a simulated recording.", "h", ge=0.25, le=24)
    ambiguity: float = option(
        0.09,
        "Mean share of a neighbouring stage mixed into each bout's signals; three times this in N3.",
        "1",
        ge=0,
        le=0.5,
    )
    scorer_noise: float = option(
        0.04,
        "Probability that a simulated expert writes another stage; twice this in N1, half in wake.",
        "1",
        ge=0,
        le=1,
    )
    artefacts: float = option(0.7, "Factor on the rate of movement and electrode artefacts.", "1", ge=0)
    bad_site_share: float = option(
        0.05,
        "Share of recordings from a site with poor signals: hum, a loose electrode, drift, a channel that dies.",
        "1",
        ge=0,
        le=1,
    )
    effects: Effects = option(Effects(), "Mechanisms of the ground truth, each of which can be switched off.")
