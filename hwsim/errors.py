"""Every error hwsim raises on purpose: `HwsimError` and the builtin that fits."""


class HwsimError(Exception):
    """Base of all errors raised by hwsim."""


class SpecError(HwsimError, ValueError):
    """A device specification that cannot be used; the text gives file, key path, value and remedy."""


class UnknownArchError(HwsimError, LookupError):
    """No specification of that name; the text lists the nearest names."""


class PrecisionError(HwsimError, ValueError):
    """The device has no data path for the requested bit widths."""


class WorkloadError(HwsimError, ValueError):
    """A model that cannot be turned into loop nests: open dimensions, batch below one."""
