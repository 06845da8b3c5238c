"""The golden sequencer's tokens for small kernels, written out by hand."""

import pytest

from octopus.verify.golden.sequencer import Header, tokens


def header(head=0, body=1, tail=0, stages=1, exit_stage=0, flush=0):
    return Header(0, 2, 2, head, body, tail, stages, exit_stage, 0, flush, 0, 0)


def run(kernel, body_trips, outer_trips=1, exits=()):
    """(slot, active) of every cycle; ``exits``: cycles in which exit is visible."""
    generator = tokens(kernel, body_trips, outer_trips, stages=4)
    seen = []
    token = next(generator, None)
    while token is not None:
        assert token.clear == (not seen)
        seen.append((token.slot, token.active))
        try:
            token = generator.send(len(seen) - 1 in exits)
        except StopIteration:
            break
    return seen


def test_head_body_tail_and_flush():
    kernel = header(head=1, body=2, tail=1, flush=3)
    body = [(1, 1), (2, 1)]
    assert run(kernel, 2) == [(0, 15), *body, *body, (3, 15), (1, 0), (2, 0), (1, 0)]


def test_software_pipeline_fills_and_drains():
    kernel = header(stages=3)
    assert [active for _, active in run(kernel, 4)] == [1, 3, 7, 7, 6, 4]
    assert [active for _, active in run(kernel, 1)] == [1, 2, 4]


def test_outer_rounds():
    kernel = header(body=1, tail=1)
    assert run(kernel, 2, 2) == [(0, 1), (0, 1), (1, 15)] * 2


@pytest.mark.parametrize(("trips", "rounds"), [(0, 1), (5, 0)])
def test_only_flush(trips, rounds):
    assert run(header(flush=2), trips, rounds) == [(0, 0), (0, 0)]


def test_no_body():
    assert run(header(body=0, tail=1, flush=1), 7) == [(0, 15), (0, 0)]


def test_exit_starts_no_further_iteration():
    assert [active for _, active in run(header(stages=3), 9, exits=[3])] == [1, 3, 7, 7, 6, 4]


def test_exit_clears_stages_below_the_exit_stage():
    kernel = header(body=2, stages=3, exit_stage=2)
    # Seen in the first slot of a pass: the second runs without stages 0 and 1.
    assert [active for _, active in run(kernel, 9, exits=[4])] == [1, 1, 3, 3, 7, 4]
    # Seen in the last slot: shifted first, so that stage 1's iteration survives as stage 2's.
    assert [active for _, active in run(kernel, 9, exits=[5])] == [1, 1, 3, 3, 7, 7, 4, 4]


def test_exit_ends_with_its_round():
    kernel = header(body=1, tail=1)
    body, tail = (0, 1), (1, 15)
    assert run(kernel, 3, 2, exits=[0]) == [body, tail, body, body, body, tail]
    assert run(kernel, 3, 2, exits=[3]) == [*[body] * 3, tail] * 2


def test_exit_seen_in_the_head_prevents_the_loop():
    assert run(header(head=1, tail=1), 3, exits=[0]) == [(0, 15), (2, 15)]
