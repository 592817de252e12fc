"""The 27-character provider code of TC260-PG-20252A and the check characters inside it.

00 1 1 91110102MACQD9K640 10000
|  | | |                  service: 1 generation / 2 propagation, and a self-assigned app code
|  | | unified social credit code (GB 32100-2015), the last of its 18 characters a check
|  | binding method, 1 = unified social credit code
|  subject type, 1 = organisation
label format, always 00
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from policies.errors import BadInput

LENGTH = 27
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015: no I O Z S V
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANISATION_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # GB 11714
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_EXTENSION = re.compile(r"00000|[12][0-9A-Z]{4}")
SERVICES = {"0": "not stated", "1": "generation", "2": "propagation"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One way a code departs from the rules; `id` is the finding id it gets."""

    id: str
    detail: str


def looks_like_code(value: str) -> bool:
    """Whether a ContentProducer value is meant as a code rather than a name (both are allowed)."""
    return value.startswith("00") and 20 <= len(value) <= 34 and value.isascii() and value.isalnum()


def uscc_check_character(body: str) -> str:
    """The 18th character for the first 17 of a unified social credit code (GB 32100-2015)."""
    total = sum(_USCC_ALPHABET.index(c) * w for c, w in zip(body, _USCC_WEIGHTS, strict=True))
    return _USCC_ALPHABET[(31 - total % 31) % 31]


def organisation_check_character(body: str) -> str:
    """The ninth character of an organisation code for its first eight (GB 11714)."""
    values = (_ORGANISATION_ALPHABET.index(c) for c in body)
    total = sum(v * w for v, w in zip(values, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def faults(code: str) -> list[Fault]:
    """Every departure of `code` from PG-20252A; an empty list for a good one."""
    if len(code) != LENGTH:
        return [Fault("aigc.code.length", f"provider code has {len(code)} characters, not {LENGTH}")]
    if not re.fullmatch("[0-9A-Z]+", code):
        return [Fault("aigc.code.alphabet", "provider code holds characters other than 0-9 and A-Z")]
    found = []
    if code[:4] != "0011":
        found.append(Fault("aigc.code.prefix", f"provider code starts {code[:4]}; only 0011 is defined so far"))
    found += uscc_faults(code[4:22])
    if not _EXTENSION.fullmatch(code[22:]):
        found.append(Fault("aigc.code.extension", f"service extension {code[22:]} is neither 00000 nor 1xxxx or 2xxxx"))
    return found


def uscc_faults(uscc: str) -> list[Fault]:
    """What is wrong with a unified social credit code; an empty list for a good one."""
    if len(uscc) != 18 or not set(uscc) <= set(_USCC_ALPHABET):
        return [Fault("aigc.code.alphabet", "the credit code is not 18 characters of GB 32100's alphabet")]
    found = []
    if (expected := uscc_check_character(uscc[:17])) != uscc[17]:
        found.append(
            Fault("aigc.code.check", f"credit code {uscc}: check character is {uscc[17]}, {expected} expected")
        )
    if (expected := organisation_check_character(uscc[8:16])) != uscc[16]:
        found.append(
            Fault("aigc.code.check", f"organisation code {uscc[8:17]}: check is {uscc[16]}, {expected} expected")
        )
    return found


def build(uscc: str, service: str = "0", app: str = "0000") -> str:
    """A provider code for an organisation. `service`: 0 not stated, 1 generation, 2 propagation.

    Raises BadInput where the credit code, the service or the four-character app code is wrong.
    """
    uscc, app = uscc.strip().upper(), app.strip().upper()
    if wrong := uscc_faults(uscc):
        raise BadInput("; ".join(f.detail for f in wrong))
    if service not in SERVICES or not re.fullmatch("[0-9A-Z]{4}", app) or (service == "0" and app != "0000"):
        raise BadInput("the service is 1 (generation) or 2 (propagation), the app code four of 0-9 A-Z")
    return f"0011{uscc}{service}{app}"
