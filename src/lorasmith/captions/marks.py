"""Marks that captions have for a trainer, which a model reads as plain text where nothing replaces them."""

from __future__ import annotations

import re

PLACEHOLDER = r"\[(?:trigger|name)\]"
"""Where ai-toolkit writes the trigger word."""
CHOICES = re.compile(r"\{[^{}|]+\|[^{}]+\}")
"""`{red|blue}`, of which sd-scripts' enable_wildcard draws one."""
KEEP_TOKENS_SEPARATOR = "|||"
"""What keep_tokens_separator is, wherever it is one."""
