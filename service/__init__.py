"""The fronts: command line and HTTP, thin over label() and verify()."""
