"""judge(): verdicts follow from findings alone, and nothing unseen is ever met."""

import pytest

from policies import BadInput, Facts, Finding, Mark, Media, Status, Verdict, judge
from policies.judge import Report, shortfalls
from policies.policy import Policy, parse

RULES = """
[policy]
id = "test"
title = "Test"
version = "1"
in_force = "2025-09-01"

[[requirement]]
id = "notice"
clause = "1"
says = "there is a notice"
level = "must"
mark = "explicit"
media = ["image"]
check = "present"
source = "test"

[[requirement]]
id = "height"
clause = "2"
says = "it is high enough"
level = "must"
mark = "explicit"
media = ["image"]
check = "at-least"
fact = "height"
value = 0.05
source = "test"

[[requirement]]
id = "wording"
clause = "3"
says = "it names AI and generation"
level = "must"
mark = "explicit"
media = ["image"]
check = "contains"
fact = "text"
value = [["人工智能", "AI"], ["生成", "合成"]]
when = { form = ["line"] }
source = "test"

[[requirement]]
id = "once"
clause = "4"
says = "one copy"
level = "must"
mark = "metadata"
media = ["image"]
not_for = ["bmp"]
check = "free-of"
deviations = ["aigc.copy.duplicate"]
source = "test"

[[requirement]]
id = "watermark"
clause = "5"
says = "encouraged"
level = "should"
mark = "watermark"
media = ["image"]
check = "present"
source = "test"
"""


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parse(RULES, "test")


def facts(container: str = "png", media: Media = Media.IMAGE) -> Facts:
    return Facts("x.png", "0" * 64, media, container)


def notice(status: Status = Status.FOUND, **measured: object) -> Finding:
    return Finding("eye", Mark.EXPLICIT, status, f"a notice {status}", measured=measured)


def item(status: Status = Status.FOUND, id: str = "") -> Finding:
    return Finding("metadata", Mark.METADATA, status, f"an item {status}", id=id)


def verdicts(report: Report) -> dict[str, Verdict]:
    return {j.requirement.id: j.verdict for j in report.judgements}


def test_a_complete_file_is_met_though_the_encouraged_mark_is_unchecked(policy: Policy) -> None:
    report = judge(policy, facts(), [notice(height=0.06, text="AI生成", form="line"), item()])
    assert report.verdict is Verdict.MET
    assert verdicts(report)["watermark"] is Verdict.UNDETERMINED


@pytest.mark.parametrize(
    ("status", "there", "its_height"),
    [
        (Status.ABSENT, Verdict.UNMET, Verdict.UNMET),
        (Status.DAMAGED, Verdict.UNMET, Verdict.UNDETERMINED),
        (Status.UNCHECKED, Verdict.UNDETERMINED, Verdict.UNDETERMINED),
    ],
)
def test_absent_damaged_and_unchecked_are_told_apart(
    policy: Policy, status: Status, there: Verdict, its_height: Verdict
) -> None:
    report = judge(policy, facts(), [notice(status), item()])
    assert verdicts(report)["notice"] is there
    assert verdicts(report)["height"] is its_height
    assert report.verdict is there


def test_what_no_detector_looked_for_is_undetermined(policy: Policy) -> None:
    report = judge(policy, facts(), [])
    assert set(verdicts(report).values()) == {Verdict.UNDETERMINED}


def test_unchecked_outweighs_absent(policy: Policy) -> None:
    report = judge(policy, facts(), [notice(Status.ABSENT), notice(Status.UNCHECKED)])
    assert verdicts(report)["notice"] is Verdict.UNDETERMINED


@pytest.mark.parametrize(
    ("height", "error", "verdict"),
    [
        (0.06, 0.005, Verdict.MET),
        (0.05, 0.0, Verdict.MET),
        (0.052, 0.005, Verdict.UNDETERMINED),
        (0.048, 0.005, Verdict.UNDETERMINED),
        (0.04, 0.005, Verdict.UNMET),
    ],
)
def test_a_measurement_within_its_error_of_the_limit_is_undetermined(
    policy: Policy, height: float, error: float, verdict: Verdict
) -> None:
    report = judge(policy, facts(), [notice(height=height, height_error=error, text="AI生成", form="line")])
    assert verdicts(report)["height"] is verdict


def test_a_fact_that_was_not_measured_is_undetermined(policy: Policy) -> None:
    assert verdicts(judge(policy, facts(), [notice(text="AI生成", form="line")]))["height"] is Verdict.UNDETERMINED


def test_the_missing_element_is_named(policy: Policy) -> None:
    report = judge(policy, facts(), [notice(height=0.06, text="AI-generated", form="line")])
    [wording] = [j for j in report.judgements if j.requirement.id == "wording"]
    assert wording.verdict is Verdict.UNMET
    assert "生成 or 合成" in wording.because
    assert "人工智能" not in wording.because


def test_a_requirement_for_one_form_is_not_asked_of_another(policy: Policy) -> None:
    report = judge(policy, facts(), [notice(height=0.06, text="", form="rhythm")])
    assert verdicts(report)["wording"] is Verdict.MET


def test_a_requirement_for_one_form_is_undetermined_where_the_form_is_not_known(policy: Policy) -> None:
    report = judge(policy, facts(), [notice(height=0.06, text="AI生成")])
    assert verdicts(report)["wording"] is Verdict.UNDETERMINED


def test_two_notices_cannot_share_the_clauses_out(policy: Policy) -> None:
    high = notice(height=0.06, text="hello", form="line")
    worded = notice(height=0.01, text="AI生成", form="line")
    assert judge(policy, facts(), [high, worded, item()]).verdict is Verdict.UNMET
    good = notice(height=0.06, text="AI生成", form="line")
    assert judge(policy, facts(), [high, good, worded, item()]).verdict is Verdict.MET


def test_a_forbidden_deviation_is_unmet(policy: Policy) -> None:
    report = judge(policy, facts(), [item(), item(id="aigc.copy.duplicate")])
    assert verdicts(report)["once"] is Verdict.UNMET


def test_freedom_from_deviations_is_not_met_where_nothing_was_read(policy: Policy) -> None:
    assert verdicts(judge(policy, facts(), [item(Status.UNCHECKED)]))["once"] is Verdict.UNDETERMINED


def test_a_requirement_is_not_asked_of_containers_it_excepts(policy: Policy) -> None:
    assert "once" not in verdicts(judge(policy, facts("bmp"), []))


def test_a_policy_that_asks_nothing_of_a_media_is_an_error_not_a_pass(policy: Policy) -> None:
    with pytest.raises(BadInput, match="asks nothing of audio"):
        judge(policy, facts(media=Media.AUDIO), [])


def test_shortfalls_of_a_planned_notice_name_their_clauses(policy: Policy) -> None:
    planned = notice(height=0.01, text="AI-generated", form="line")
    assert [j.requirement.clause for j in shortfalls(policy, Media.IMAGE, planned)] == ["2", "3"]
