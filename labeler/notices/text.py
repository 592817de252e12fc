"""The notice in words: a line of its own or a corner mark (角标) in a text (GB 45438-2025 5.1)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from labeler.asset import Asset
from labeler.notices import Edited, Sighting
from policies.errors import BadInput, Unsupported
from policies.policy import load, names
from policies.terms import Media

LONGEST = 80
"""Characters: a longer line is a paragraph, and a paragraph that speaks of AI is no notice."""

_EDGE = 3  # lines from either end that count as the text's start and end
_PLACES = ("start", "end", "both")
_FORMS = ("line", "corner")
_CORNER = "AI"  # all that 5.1 asks of a corner mark


@dataclass(frozen=True, slots=True)
class Notice:
    """A line or corner mark at the "start", the "end" or "both".

    A corner mark is "AI" where `text` is empty or one of the lines that policies suggest.
    Raises BadInput for a text that is not one short line, an unknown place or form.
    """

    text: str
    place: str = "start"
    form: str = "line"

    def __post_init__(self) -> None:
        for option, value, known in (("place", self.place, _PLACES), ("form", self.form, _FORMS)):
            if value not in known:
                raise BadInput(f"no {option} called {value!r} in a text; try: {', '.join(known)}")
        if not 0 < len(self.words) <= LONGEST:
            raise BadInput(f"a text notice has 1 to {LONGEST} characters; change --text")
        if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in self.words):
            raise BadInput("a text notice is one line without control characters; change --text")

    @property
    def words(self) -> str:
        """What is written."""
        usual = not self.text.strip() or self.text in _suggested()
        return _CORNER if self.form == "corner" and usual else self.text.strip()

    def facts(self) -> dict[str, Any]:
        return {"text": self.words, "place": self.place, "form": self.form}


def draw(asset: Asset, notice: Notice, scratch: Path) -> Edited:
    """The document with the notice in it; nothing else in its text changes."""
    insert = getattr(asset.container, "insert", None)
    if insert is None:
        raise Unsupported(f"no notice can be put into {asset.container.NAME} yet; --marks metadata labels it without")
    places = ("start", "end") if notice.place == "both" else (notice.place,)
    drawn, size = asset, len(asset.data)
    kept = []
    for place in places:
        path = scratch / f"notice-{place}"
        kept.append(drawn.save(insert(drawn.data, notice.words, place, notice.form), path))
        if drawn is not asset:
            drawn.close()
        drawn = Asset.open(path, asset.source)
    return Edited(drawn, {"text": f"{min(min(kept), size)} of {size} bytes copied as they were around the notice"})


def find(asset: Asset, planned: Notice | None = None) -> list[Sighting]:
    """Lines and corner marks that say the text is generated, ours and other people's, in the text's order.

    Raises Unsupported for a document whose words biaoshi cannot read, BadInput for a damaged one.
    """
    read = getattr(asset.container, "text", None)
    if read is None:
        raise Unsupported(f"the words of {asset.container.NAME} cannot be read yet")
    wordings = {_plain(text) for text in _suggested()} | ({_plain(planned.words)} if planned else set())
    margins: Mapping[str, str] = getattr(asset.container, "margins", lambda _: {})(asset.data)
    found = [_sighting(line, place, f"page {place}", wordings) for place, line in _margin_lines(margins)]
    lines = [line.strip() for line in read(asset.data).splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if len(line) <= 2 * LONGEST:  # markup comes off a line before its words are counted
            found.append(_sighting(line, _place(number, len(lines)), f"line {number + 1} of {len(lines)}", wordings))
    return [sighting for sighting in found if sighting is not None]


def unread(asset: Asset) -> str:
    """Why words may stand in the document that `find` has not seen; "" where it saw all."""
    reason: str = getattr(asset.container, "unread", lambda _: "")(asset.data)
    return reason


def _margin_lines(margins: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for place, text in margins.items():
        for line in text.splitlines():
            if line.strip():
                yield place, line.strip()


def _place(number: int, count: int) -> str:
    from_end = count - 1 - number
    if min(number, from_end) >= _EDGE:
        return "middle"
    return "start" if number <= from_end else "end"


def _sighting(line: str, place: str, where: str, wordings: set[str]) -> Sighting | None:
    if _CORNER_MARK.search(line):
        return _seen(_CORNER, place, "corner", where, 0.9)
    words = _unmarked(line)
    if len(words) > LONGEST:
        return None
    if _plain(words) in wordings:
        return _seen(words, place, "line", where, 1.0)
    return _seen(words, place, "line", where, 0.9) if is_notice(words) else None


def _seen(text: str, place: str, form: str, where: str, confidence: float) -> Sighting:
    detail = f"the {'corner mark' if form == 'corner' else 'line'} {text!r} at the {place}"
    return Sighting(detail, confidence, where, {"text": text, "place": place, "form": form})


@cache
def _suggested() -> frozenset[str]:
    """The wordings that the packaged policies suggest for texts."""
    given = (load(name).notices.get(Media.TEXT, {}).get("text", ()) for name in names())
    return frozenset(word for text in given for word in (text.values() if isinstance(text, Mapping) else [text]))


def _plain(text: str) -> str:
    """For comparing wordings: without case, spaces and the marks at the ends."""
    return re.sub(r"\s+", "", _stripped(text)).casefold()


# ---- what a notice looks like ---------------------------------------------------------------------------------

_TAGS = re.compile(r"</?(?:sup|sub|p|small|em|strong|b|i|u|span|div|center|blockquote|font|br)\b[^<>]*>", re.IGNORECASE)
_MARKUP = " \t\u3000#>*_`~|"
_EDGES = " \t\u3000#>*_`~|=+-–—•·※★☆【】[]［］()（）「」『』《》〈〉<>\"“”'‘’"
_CORNER_MARK = re.compile(r"ᴬᴵ|<sup\b[^<>]*>\s*AI\s*</sup\s*>|\^AI\^|^[\[【［]\s*AI\s*[\]】］]$", re.IGNORECASE)
_BETWEEN_HAN = re.compile(r"(?<=[\u3400-\u9fff])[ \u3000]+(?=[\u3400-\u9fff])")

_LEAD = r"(?:(?:特别|温馨|重要|免责)?(?:注|注意|说明|提示|声明|备注|标识)\s*[:：]\s*)?"
_AI = r"(?:人工智能|AIGC|(?<![A-Za-z])A\.?I\.?(?![A-Za-z]))"
_TOOLS = r"\s*(?:技术|工具|(?:大|语言|大语言)?模型|助手|智能体|系统|服务|算法|软件|程序)?\s*"
_MAKE = r"(?:自动|辅助|协助|参与|全程)?\s*(?:生成合成|合成生成|生成|合成|创作|撰写|制作)"
_NOUN = (
    r"(?:的?\s*(?:合成)?(?:内容|文本|文字|文章|文案|图文|作品|信息|结果|摘要|译文|翻译|图片|图像|插图|配图|素材|音频|视频))?"
    r"(?:而?成|完成|的)?"
)
_SUBJECT = r"(?:本|此|该|以上|以下|上述|下述|全文|文中|文内|文章|内容|正文|部分|全部|所有)"
_LINK = r"(?:由|为|系|是|属于?|经|通过|使用|利用|借助|采用|基于|含有?|包含|包括|可能|疑似)"
_BOUND = r"(?=\s*(?:$|[，,。.；;！!、（(—|/]|\s(?:AI|This|Content|Generated)\b))"
_ADVICE = re.compile(
    r"^\W*$|参考|请|注意|谨慎|甄别|核实|核对|辨别|不代表|不构成|可能|准确|真实|审核|校对|修改|编辑|责任|版权|"
    r"\b(?:AI|may|might|please|verify|check|reference|accura|review|error|edit)",
    re.IGNORECASE,
)
# 本内容由人工智能生成 · 以上内容可能由AI大模型辅助生成 · 文中部分图片为AI合成
_ABOUT_THIS = re.compile(
    rf"^{_LEAD}(?P<before>{_SUBJECT}[^，。；！？,;!?]{{0,14}}?{_LINK}[^，。；！？,;!?]{{0,8}}?){_AI}{_TOOLS}{_MAKE}{_NOUN}{_BOUND}"
)
# AI生成 · 由AI生成，仅供参考 · 人工智能生成合成内容
_BARE = re.compile(
    rf"^{_LEAD}(?P<before>(?:由|为|系|经|通过|使用|含有?|可能为|疑似)?\s*){_AI}{_TOOLS}{_MAKE}{_NOUN}{_BOUND}"
)

_EN_LEAD = r"(?:(?:please )?(?:note|notice|disclaimer|disclosure|attention)\s*[:\-–—]\s*)?"
_EN_AI = r"(?:(?:generative )?A\.?I\.?|(?:an? )?artificial intelligence|AIGC|(?:an? )?(?:large )?language models?)"
_EN_MADE = r"(?:generated|synthesi[sz]ed|created|written|produced)"
_EN_NOUN = (
    r"(?:\s+(?:content|texts?|articles?|documents?|reports?|images?|pictures?|materials?|media|summar(?:y|ies)))?"
)
_EN_CORE = (
    rf"(?:{_EN_AI}[- ]{_EN_MADE}|{_EN_MADE}(?:\s+(?:entirely|partly|partially|in part|automatically|wholly))?"
    rf"\s+(?:by|with|using)\s+(?:the (?:help|assistance|aid) of\s+)?{_EN_AI}"
    r"(?:\s+(?:tools?|models?|technology|systems?))?)"
)
_EN_SUBJECT = (
    r"(?:(?:(?:all|some|parts?|portions?|sections?) of )?"
    r"(?:this|these|the (?:above|following|content|texts?|article|answer))|content|text)\b[^.;:!?]{0,40}?\b"
)
_EN_LINK = r"(?:is|was|are|were|been|be|contains?|includes?)\b[^.;:!?]{0,20}?"
_EN_BOUND = r"(?=\s*(?:$|[.,;!(（|/–—]|and may\b))"
_EN_THIS = re.compile(
    rf"^{_EN_LEAD}(?P<before>{_EN_SUBJECT}{_EN_LINK})\b{_EN_CORE}{_EN_NOUN}{_EN_BOUND}", re.IGNORECASE
)
_EN_BARE = re.compile(
    rf"^{_EN_LEAD}(?P<before>(?:(?:partially|partly|fully|content|text)\s+)?){_EN_CORE}{_EN_NOUN}{_EN_BOUND}",
    re.IGNORECASE,
)

_FORMS_OF_NOTICE = ((_ABOUT_THIS, False), (_BARE, True), (_EN_THIS, False), (_EN_BARE, True))
# Before the words "AI generated", these make another sentence of it.
_OTHERWISE = re.compile(
    r"[不非未没無无勿禁莫]|如何|怎|是否|能否|讨论|探讨|介绍|研究|分析|关于|检测|识别|禁止|拒绝|反对|所称|是指|被|证实|此前|流传|网传|据|"
    r"\b(?:not|no|never|non|without|human|how|why|whether|about|against|on|detect\w*|if|than|unlike)\b|n['’]t\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"[?？]\s*$|吗\s*[。.]?$")


def is_notice(line: str) -> bool:
    """Whether a short line says that this text is generated: not that it isn't, nor what generation is."""
    line = _BETWEEN_HAN.sub("", _stripped(line))
    if _QUESTION.search(line):
        return False
    for form, bare in _FORMS_OF_NOTICE:
        found = form.match(line)
        if found and not _OTHERWISE.search(found["before"]):
            # "AI生成" alone is a notice; with a sentence behind it, only if that is advice to the reader.
            return not bare or _ADVICE.search(line[found.end() :]) is not None
    return False


def _unmarked(line: str) -> str:
    """The line without Markdown's and HTML's marks around it."""
    return _TAGS.sub("", line).strip(_MARKUP)


def _stripped(line: str) -> str:
    """Without brackets and quotation marks, too."""
    return _unmarked(line).strip(_EDGES)
