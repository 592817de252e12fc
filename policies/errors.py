"""What can go wrong. Only ToolkitError leaves the packages, and each message names the remedy."""


class ToolkitError(Exception):
    """Anything biaoshi refuses or fails to do."""


class BadInput(ToolkitError):
    """The file, the option or the value cannot be used as it is (exit 2, HTTP 422)."""


class TooLarge(BadInput):
    """The input is over a limit that protects the machine (exit 2, HTTP 413)."""


class Unsupported(ToolkitError):
    """The format is not one biaoshi knows (exit 2, HTTP 415)."""


class MissingDependency(ToolkitError):
    """An optional package or system library is not installed (exit 3, HTTP 501)."""
