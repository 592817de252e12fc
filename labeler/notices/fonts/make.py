"""Makes BiaoshiNotice.ttf again: a subset of Noto Sans CJK SC Bold with quadratic outlines.

Needs fontTools and Debian's package fonts-noto-cjk; the collection's path may be given as the one argument.
TrueType outlines, because PDF viewers, browsers and FreeType all take them without a CFF interpreter.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

SOURCE = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc")
TARGET = Path(__file__).with_name("BiaoshiNotice.ttf")
FAMILY = "Biaoshi Notice"
_SIMPLIFIED_CHINESE = 2  # its place in the collection
_TOLERANCE = 1.0  # largest distance between cubic and quadratic outline, in thousandths of an em
_KEPT_NAMES = {"copyright": 0, "designer": 9, "licenseDescription": 13, "licenseInfoURL": 14}


# Korean, Japanese and traditional Chinese need more characters than a small font can hold: these wordings' do.
_WORDINGS = (
    "인공지능 생성형 생성물 합성 활용 사용 제작 제공 콘텐츠 내용 이미지 그림 사진 영상 동영상 음성 음악 텍스트 결과물"
    "은는이가을를의에로으로서된한하여만들어졌습니다되었입니다 고지 표시 가상 실제 아님"
    "人工智慧產生內容圖像聲視訊資標識為擬經實際應輔協製軟體"
    "画像動画音声文章作成使用"
)


def characters() -> set[int]:
    """GB 2312's symbols and level 1 (3755 characters), the small alphabets, and `_WORDINGS`."""
    latin = {*range(0x20, 0x7F), *range(0xA0, 0x250), *range(0x1E00, 0x1F00)}
    others = {*range(0x370, 0x460), *range(0x3040, 0x3100)}  # Greek, Cyrillic, kana
    typed = set(map(ord, "–—‘’“”•…‰€™←→−≤≥①②③④⑤⑥⑦⑧⑨⑩" + _WORDINGS))
    return latin | others | typed | _gb2312(0xA1) | _gb2312(0xA3) | _gb2312(*range(0xB0, 0xD8))


def _gb2312(*rows: int) -> set[int]:
    text = b"".join(bytes((row, cell)) for row in rows for cell in range(0xA1, 0xFF))
    return set(map(ord, text.decode("gb2312", "ignore")))


def make(source: Path, target: Path) -> None:
    font = TTFont(source, fontNumber=_SIMPLIFIED_CHINESE)
    subset(font, characters())
    builder = FontBuilder(unitsPerEm=font["head"].unitsPerEm, isTTF=True)
    order = font.getGlyphOrder()
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(font.getBestCmap())
    builder.setupGlyf(quadratic(font, order))
    builder.setupHorizontalMetrics({name: font["hmtx"][name] for name in order})
    builder.setupHorizontalHeader(ascent=font["hhea"].ascent, descent=font["hhea"].descent)
    builder.setupNameTable(names(font))
    builder.setupOS2(
        sTypoAscender=font["OS/2"].sTypoAscender,
        sTypoDescender=font["OS/2"].sTypoDescender,
        usWinAscent=font["OS/2"].usWinAscent,
        usWinDescent=font["OS/2"].usWinDescent,
        usWeightClass=700,
        fsSelection=0x20,
    )
    builder.setupPost(keepGlyphNames=False)
    # The source's own dates: made again from the same package, the file is the same.
    builder.updateHead(macStyle=1, created=font["head"].created, modified=font["head"].modified)
    builder.font.recalcTimestamp = False
    builder.save(target)


def subset(font: TTFont, wanted: Iterable[int]) -> None:
    """Keep what the notice is set with: outlines, widths and the character map."""
    options = Options(layout_features=[], hinting=False, notdef_outline=True, name_IDs=["*"], glyph_names=False)
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE", "GSUB", "GPOS", "GDEF", "DSIG"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=wanted)
    subsetter.subset(font)


def quadratic(font: TTFont, order: list[str]) -> dict[str, object]:
    """Every glyph's outline in quadratic curves, its direction turned as TrueType has it."""
    outlines = font.getGlyphSet()
    glyphs: dict[str, object] = {}
    for name in order:
        pen = TTGlyphPen(None)
        outlines[name].draw(Cu2QuPen(pen, _TOLERANCE, reverse_direction=True))
        glyphs[name] = pen.glyph()
    return glyphs


def names(font: TTFont) -> dict[str, str]:
    """A family name of its own, as the OFL likes for a changed version, and the source's copyright and licence."""
    kept = {key: str(font["name"].getDebugName(number)) for key, number in _KEPT_NAMES.items()}
    version = font["name"].getDebugName(5).partition(";")[0]
    return kept | {
        "familyName": FAMILY,
        "styleName": "Bold",
        "uniqueFontIdentifier": f"BiaoshiNotice-Bold;{version}",
        "fullName": f"{FAMILY} Bold",
        "psName": "BiaoshiNotice-Bold",
        "version": version,
        "description": "Subset of Noto Sans CJK SC Bold with quadratic outlines, made by biaoshi",
    }


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE, TARGET)
