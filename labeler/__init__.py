"""How a label is carried: containers, codecs, notices, and label(), which puts them in line."""

from labeler.asset import Asset, Source
from labeler.notices import NoticeOptions
from labeler.pipeline import Labelled, label
from policies.terms import AigcLabel, Mark, Media

__all__ = ["AigcLabel", "Asset", "Labelled", "Mark", "Media", "NoticeOptions", "Source", "label"]
