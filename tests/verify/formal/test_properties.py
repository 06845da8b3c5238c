"""The properties that are proven within seconds; all of them: ``scripts/prove.py``."""

import pytest

from octopus.verify.formal.catalogue import CLAIMS, Claim, select
from octopus.verify.formal.prover import check

DEFECTS = 3


@pytest.mark.parametrize(
    "claim", [pytest.param(c, id=c.make().name) for c in select([], quick=True)]
)
def test_property_holds(claim: Claim) -> None:
    result = check(claim.make(), DEFECTS)
    assert result.holds, result


def test_names_are_distinct_and_every_claim_is_stated() -> None:
    properties = [claim.make() for claim in CLAIMS]
    assert len({item.name for item in properties}) == len(properties)
    assert all(item.claim for item in properties)


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"no property 'Nonsense'.*CreditsExact,depth=1"):
        select(["Nonsense"])
