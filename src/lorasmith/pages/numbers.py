"""Numbers as people write them."""

from __future__ import annotations


def count(number: int, noun: str, plural: str = "") -> str:
    """1 step, 12,000 steps; `plural` where an s does not make it."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """0.8 s, 42 s, 1 min 42 s, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(whole / 60)
    return f"{minutes // 60:,} h {minutes % 60} min"


def file_size(size: int) -> str:
    """512 bytes, 640 kB, 36.5 MB."""
    if size < 1000:
        return count(size, "byte")
    if size < 999_500:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1e6:.1f} MB" if size < 999_950_000 else f"{size / 1e9:.2f} GB"


def percent(share: float) -> str:
    """A share, 0-1: 94 %, 3.1 %."""
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def learning_rate(rate: float) -> str:
    """0.0001 is 1e-4."""
    if rate == 0 or rate >= 0.01:
        return f"{rate:.3g}"
    digits, _, exponent = f"{rate:.2e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
