"""What the report says of a target."""

from __future__ import annotations

from hypnoflow.report.page import sentence


def test_sentence_of_the_primary_test_is_told_as_it_was_written():
    assert sentence({"sentence": "There is no evidence."}) == "There is no evidence."


def test_problem_is_told_instead():
    text = sentence({"problem": "3 persons with a known age, 10 needed for 5 folds"})
    assert text == "Not predicted: 3 persons with a known age, 10 needed for 5 folds."
