"""Trees are evaluated as LightGBM evaluates them, and what is no tree is refused."""

import lightgbm
import numpy as np
import pytest

from features.vectors import MATCH_FEATURES
from smartblood.registry.trees import UnreadableTreesError, read_trees
from tests.unit.boosters import N_FEATURES, booster_of, rows_of


@pytest.fixture(scope="module")
def text():
    return booster_of().model_to_string()


@pytest.mark.parametrize(("n_trees", "leaves"), [(1, 2), (30, 8), (25, 16), (12, 31), (5, 64)])
def test_trees_give_what_lightgbm_gives_bit_for_bit(n_trees, leaves):
    booster = booster_of(n_trees=n_trees, leaves=leaves, min_data_in_leaf=3)
    trees = read_trees(booster.model_to_string(), MATCH_FEATURES)
    rows = [rows_of(2000, 5), *(np.full((1, N_FEATURES), one) for one in (np.nan, np.inf, -np.inf))]
    for feature in range(N_FEATURES):  # at each threshold, and next to it
        cuts = trees.thresholds[trees.starts[feature] : trees.starts[feature + 1]]
        for cut in (cuts, np.nextafter(cuts, np.inf), np.nextafter(cuts, -np.inf)):
            at_cut = np.resize(rows_of(50, feature), (cut.size, N_FEATURES))
            at_cut[:, feature] = cut
            rows.append(at_cut)
    rows.append(np.where(np.random.default_rng(1).random((500, N_FEATURES)) < 0.3, np.nan, rows_of(500, 6)))
    rows = np.concatenate(rows)
    assert np.array_equal(trees.raw_scores(rows), booster.predict(rows, raw_score=True))


def test_what_is_there_is_told_from_what_is_not_by_an_infinite_threshold():
    rng = np.random.default_rng(3)
    rows = np.where(rng.random((400, N_FEATURES)) < 0.5, np.nan, rng.normal(size=(400, N_FEATURES)))
    data = lightgbm.Dataset(rows, np.isnan(rows[:, 2]).astype(float), feature_name=list(MATCH_FEATURES))
    booster = lightgbm.train({"objective": "regression", "verbose": -1, "num_threads": 1}, data, 3)
    trees = read_trees(booster.model_to_string(), MATCH_FEATURES)
    assert np.inf in trees.thresholds
    asked = np.concatenate([rows, *(np.full((1, N_FEATURES), one) for one in (np.nan, np.inf, -np.inf, 1e300, 0))])
    assert np.array_equal(trees.raw_scores(asked), booster.predict(asked, raw_score=True))


def test_a_tree_without_a_split_is_its_leaf():
    booster = booster_of(n_trees=2, min_data_in_leaf=4000)
    rows = rows_of(10, 0)
    raw = booster.predict(rows, raw_score=True)
    assert np.array_equal(read_trees(booster.model_to_string(), MATCH_FEATURES).raw_scores(rows), raw)


@pytest.mark.parametrize("parameters", [{"zero_as_missing": True}, {"linear_tree": True}, {"leaves": 80}])
def test_trees_that_would_be_evaluated_wrongly_are_refused(parameters):
    text = booster_of(**{"min_data_in_leaf": 3, **parameters}).model_to_string()
    with pytest.raises(UnreadableTreesError):
        read_trees(text, MATCH_FEATURES)


def first(field, change):
    """Changes the words that the first tree of a text has in a field."""

    def changed(text):
        before, line, after = text.partition(f"\n{field}=")
        words, end, rest = after.partition("\n")
        return before + line + " ".join(change(words.split())) + end + rest

    return changed


@pytest.mark.parametrize(
    "wrong",
    [
        first("leaf_value", lambda words: ["nan", *words[1:]]),
        first("leaf_value", lambda words: ["inf", *words[1:]]),
        first("leaf_value", lambda words: words[1:]),
        first("leaf_value", lambda words: [*words, "0"]),
        first("threshold", lambda words: ["nan", *words[1:]]),
        first("threshold", lambda words: ["-inf", *words[1:]]),
        first("threshold", lambda words: words[1:]),
        first("split_feature", lambda words: [str(N_FEATURES), *words[1:]]),
        first("split_feature", lambda words: ["-1", *words[1:]]),
        first("split_feature", lambda words: words[1:]),
        first("decision_type", lambda words: words[1:]),
        first("left_child", lambda words: ["0", *words[1:]]),
        first("left_child", lambda words: ["99", *words[1:]]),
        first("left_child", lambda words: ["-99", *words[1:]]),
        first("left_child", lambda words: words[1:]),
        first("right_child", lambda words: words[1:]),
        first("right_child", lambda words: [words[0], *words[:-1]]),
        first("num_leaves", lambda _: ["0"]),
        first("num_leaves", lambda _: ["-3"]),
    ],
)
def test_trees_that_make_no_sense_are_refused(text, wrong):
    assert wrong(text) != text
    with pytest.raises(UnreadableTreesError):
        read_trees(wrong(text), MATCH_FEATURES)


def test_a_leaf_without_a_split_is_finite():
    text = booster_of(n_trees=1, min_data_in_leaf=4000).model_to_string()
    for words in (["nan"], ["1", "2"], []):
        with pytest.raises(UnreadableTreesError):
            read_trees(first("leaf_value", lambda _, words=words: words)(text), MATCH_FEATURES)
