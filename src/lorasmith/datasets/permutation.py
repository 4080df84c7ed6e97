"""A permutation of 0 .. n - 1 that is computed where it is asked, and never listed.

It is a small cipher: a key chooses one of the permutations, and each place goes to a number of its own. A Feistel network takes a number
apart into two digits (left below `a`, right below `b`, where a * b is n or slightly more), and in each round adds to one of them a hash of
the other. Every round can be undone, so the whole is a bijection of 0 .. a * b - 1. What falls beyond n goes through it again until it
does not (cycle walking), which is a bijection of 0 .. n - 1.

Source: J. Black, P. Rogaway, Ciphers with Arbitrary Finite Domains, CT-RSA 2002: the generalised Feistel network of section 5, and the
cycle walking of section 3. The round function is BLAKE2b under the key. Ten rounds, as in NIST's FF1 (SP 800-38G).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

ROUNDS = 10


@dataclass(frozen=True)
class Permutation:
    """One of the permutations of 0 .. `length` - 1; `key` chooses it, up to 64 bytes. Called with a place, it gives the number there.

    A call costs about ten hashes, whatever the length.
    """

    length: int
    key: bytes = field(repr=False)

    @cached_property
    def _digits(self) -> tuple[int, int]:
        """How many values the left digit has, and the right one."""
        left = math.isqrt(max(self.length - 1, 0)) + 1
        return left, -(-self.length // left)

    def __call__(self, place: int) -> int:
        """The number at `place`. Raises IndexError if the place does not exist."""
        if not 0 <= place < self.length:
            raise IndexError(place)
        number = self._once(place)
        while number >= self.length:
            number = self._once(number)
        return number

    def _once(self, number: int) -> int:
        lefts, rights = self._digits
        left, right = number % lefts, number // lefts
        for turn in range(0, ROUNDS, 2):
            left = (left + self._hash(turn, right)) % lefts
            right = (right + self._hash(turn + 1, left)) % rights
        return left + lefts * right

    def _hash(self, turn: int, digit: int) -> int:
        digest = blake2b(digit.to_bytes(8, "little") + bytes((turn,)), digest_size=8, key=self.key).digest()
        return int.from_bytes(digest, "little")
