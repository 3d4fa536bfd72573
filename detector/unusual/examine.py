"""The second look at candidates: gradient boosting taught by injected faults, or an isolation forest that needs none.

A model is taught by two thirds of the series. What it says of the past of the others is as unprepared as what it will
say of the future, so their past can tell how high is high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_limits

from detector.unusual.windows import Floats

LEAST_FAULTS = 60
"""With fewer injected faults among the candidates nothing is taught."""
MOST_ORDINARY = 60_000
WEIGHT = 0.3
"""What all injected faults weigh, to all that is taken as ordinary."""

Labels = NDArray[np.int8]
Weights = NDArray[np.float64]


class Model(Protocol):
    """Says how far the features of a cell speak for a fault; greater is more."""

    def margin(self, features: Floats) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Lesson:
    """What is taught: features per cell, 1 for an injected fault, and weights."""

    features: Floats
    faults: Labels
    weights: Weights
    held: NDArray[np.bool_]
    """Which of them teach nothing, and tell how sure the model may be."""
    trend: tuple[int, ...]
    """By feature: 1 where more of it never speaks less for a fault, -1 where less of it, 0 elsewhere."""


@dataclass(frozen=True)
class Boosted:
    """Gradient boosting over the features as they are; what is not known may stay unknown."""

    trees: HistGradientBoostingClassifier
    sureness: float
    """How much of its log odds is kept: what the held cells bear out."""

    def margin(self, features: Floats) -> NDArray[np.float64]:
        """Log odds of a fault, shifted by the weight of the lesson."""
        with threadpool_limits(1, "openmp"):
            found: NDArray[np.float64] = self.trees.decision_function(features) * self.sureness
        return found


@dataclass(frozen=True)
class Forest:
    """An isolation forest over the features; what is not known counts as nothing unusual."""

    trees: IsolationForest

    def margin(self, features: Floats) -> NDArray[np.float64]:
        """How easily a cell is set apart from the others."""
        found: NDArray[np.float64] = -self.trees.score_samples(_known(features))
        return found


def boosting(lesson: Lesson, seed: int) -> Model | None:
    """Taught by faults and by what is ordinary; None when there is too little to learn from."""
    taught = np.flatnonzero(np.logical_not(lesson.held))
    if lesson.faults[taught].sum() < LEAST_FAULTS or np.sum(lesson.faults[taught] == 0) < LEAST_FAULTS:
        return None
    trees = HistGradientBoostingClassifier(
        max_iter=int(np.clip(len(taught) / 250, 40, 120)), learning_rate=0.12, max_leaf_nodes=20,
        min_samples_leaf=25, l2_regularization=2.0, max_bins=96, max_features=0.5, early_stopping=False,
        random_state=seed, monotonic_cst=list(lesson.trend),
    )  # fmt: skip
    with threadpool_limits(1, "openmp"):
        trees.fit(_told(lesson.features[taught]), lesson.faults[taught], sample_weight=lesson.weights[taught])
    return Boosted(trees, _sureness(Boosted(trees, 1.0), lesson))


def _sureness(model: Boosted, lesson: Lesson) -> float:
    """The factor on log odds that fits what the model has not seen (Platt's scaling, without its shift)."""
    held = lesson.held
    if lesson.faults[held].sum() < LEAST_FAULTS or np.sum(lesson.faults[held] == 0) < LEAST_FAULTS:
        return 1.0
    odds = model.margin(lesson.features[held])[:, None]
    fitted = LogisticRegression(C=1e4).fit(odds, lesson.faults[held], sample_weight=lesson.weights[held])
    return float(np.clip(fitted.coef_[0, 0], 0.3, 1.2))


def quality(model: Model, lesson: Lesson) -> float:
    """Average precision on the held-out cells of a lesson, which taught nothing; 0 where there are too few."""
    held = np.flatnonzero(lesson.held)
    faults = lesson.faults[held]
    if faults.sum() < LEAST_FAULTS // 3 or np.sum(faults == 0) < LEAST_FAULTS // 3:
        return 0.0
    margin = model.margin(lesson.features[held])
    return float(average_precision_score(faults, margin, sample_weight=lesson.weights[held]))


def forest(lesson: Lesson, seed: int) -> Model | None:
    """The same without labels: what is set apart from the ordinary candidates."""
    ordinary = lesson.features[np.flatnonzero((lesson.faults == 0) & ~lesson.held)]
    if len(ordinary) < LEAST_FAULTS:
        return None
    trees = IsolationForest(n_estimators=100, max_samples=256, random_state=seed)
    trees.fit(_known(ordinary))
    return Forest(trees)


TEACHERS = {"boosting": boosting, "forest": forest}


def _told(features: Floats) -> Floats:
    """The features, with nothing where no cell has one: the trees cannot take a column without a value."""
    silent: NDArray[np.bool_] = np.asarray(np.isnan(features).all(axis=0))
    return np.where(silent[None, :], np.float32(0), features) if bool(np.any(silent)) else features


def _known(features: Floats) -> Floats:
    return np.clip(np.nan_to_num(features, nan=0.0, posinf=50, neginf=-50), -50, 50)
