"""Provider codes (TC260-PG-20252A): real ones pass, and every single slip in one is caught."""

import pytest

from policies.errors import BadInput
from policies.provider_code import build, faults, looks_like_code, uscc_faults

# Unified social credit codes seen in labels of real producers.
REAL = [
    "91110102MACQD9K640",
    "9144030008867405X2",
    "91440300708461136T",
    "91110102MAD55U9H0F",
    "91110108MA01KP2T5U",
    "91110000802100433B",
    "91330106MA2CFLDG4R",
    "91330110MADHPQQY7L",
    "91440300MA5G49LC9K",
    "91330401MA28AA78XT",
    "914403001922038216",
    "91440101MA9Y9T4H7A",
    "91110108335469089C",
    "91340100MAEB4N8H76",
    "91110105MACJ6K1C8A",
]

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.mark.parametrize("uscc", REAL)
def test_the_credit_codes_of_real_producers_pass(uscc: str) -> None:
    assert uscc_faults(uscc) == []


def test_every_single_changed_character_is_caught() -> None:
    good = REAL[0]
    for position in range(18):
        for character in ALPHABET.replace(good[position], ""):
            assert uscc_faults(good[:position] + character + good[position + 1 :]), (position, character)


@pytest.mark.parametrize(
    "code",
    [
        "001191110102MACQD9K64010000",
        "00119144030008867405X210002",
        "001191440300708461136T1XGW3",
        "001191110108MA01KP2T5U00000",
    ],
)
def test_provider_codes_seen_in_the_wild_pass(code: str) -> None:
    assert looks_like_code(code)
    assert faults(code) == []


@pytest.mark.parametrize(
    ("code", "id"),
    [
        ("001191110102MACQD9K6401000", "aigc.code.length"),
        ("001191110102macqd9k64010000", "aigc.code.alphabet"),
        ("001191110102MACQD9K64110000", "aigc.code.check"),
        ("001191440101MA9Y9T4H7A00001", "aigc.code.extension"),
        ("002191110102MACQD9K64010000", "aigc.code.prefix"),
        ("001191110102MACQD9KI4010000", "aigc.code.alphabet"),
    ],
)
def test_each_fault_has_its_own_id(code: str, id: str) -> None:
    assert id in {fault.id for fault in faults(code)}


def test_a_code_is_built_from_a_credit_code() -> None:
    assert build("91110102MACQD9K640", "1") == "001191110102MACQD9K64010000"
    assert build("91110102macqd9k640") == "001191110102MACQD9K64000000"


@pytest.mark.parametrize(
    ("uscc", "service", "app"), [("1", "1", "0000"), (REAL[0], "3", "0000"), (REAL[0], "0", "AB12")]
)
def test_a_code_is_not_built_from_a_wrong_part(uscc: str, service: str, app: str) -> None:
    with pytest.raises(BadInput):
        build(uscc, service, app)


@pytest.mark.parametrize("name", ["kling", "MiniMax", "深度求索", ""])
def test_a_name_is_not_taken_for_a_code(name: str) -> None:
    assert not looks_like_code(name)
