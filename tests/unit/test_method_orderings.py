from models.methods import METHODS, ORDERINGS
from models.methods.orderings import compared


def test_every_ordering_is_between_two_rows_of_the_table():
    assert all({pair.better, pair.worse} <= METHODS.keys() for pair in ORDERINGS)
    assert len({(pair.better, pair.worse) for pair in ORDERINGS}) == len(ORDERINGS)


def test_points_are_means_of_paired_differences_and_only_what_does_not_show_is_explained():
    found = {"PACT": [97.0, 95.0], "DoReFa": [96.0, 97.0], "LSQ": [98.0, 96.0]}
    lines = compared(found, "digits")
    assert "| PACT >= DoReFa | -0.5 | no | 1 of 2 |" in lines
    assert "| LSQ >= PACT | +1.0 | yes | 2 of 2 |" in lines
    assert any(line.startswith("- PACT below DoReFa:") for line in lines)
    assert not any("LSQ below" in line for line in lines)
    assert "Where an order does not show:" not in compared({"PACT": [1.0], "LSQ": [2.0]}, "digits")
