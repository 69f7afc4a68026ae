"""How many guesses find a passphrase, by zxcvbn (Wheeler, USENIX Security 2016).

An attacker who has a sealed file and the published parameters guesses offline, without anybody
noticing. Against the functions in ``passphrase`` one graphics card tries some 15,000 passphrases a
second (hashcat's figures for PBKDF2-HMAC-SHA256, scaled to 600,000 iterations; fewer for Argon2id
and scrypt), so zxcvbn's estimate for slow hashes, 10,000 a second, fits. What is sealed may have to
stay secret for decades, so 10^16 guesses are asked for: 20 years of a thousand such cards. Four
words drawn at random from a list of 7,776 have 3.7 * 10^15 and are taken for more; six, which the
message asks for, have 2.2 * 10^23.
"""

import math
from collections.abc import Sequence
from typing import Final

from zxcvbn import zxcvbn  # type: ignore[import-untyped]

from leeward.keystore.origins.errors import WeakPassphraseError

GUESSES_NEEDED: Final = 10**16

JUDGED: Final = 72
"""Characters that are looked at, zxcvbn's own limit: its time grows with the cube of the length in
the worst case, a second at 72. Who knows all must guess these, so judging them alone never
makes a passphrase look stronger than it is."""

_FEW: Final = 8
"""Powers of ten below which no number is named: it would say too much about the passphrase to
whoever reads the condition. So would zxcvbn's remarks, which tell the kind of the weakness."""


def check_strength(passphrase: str, related: Sequence[str] = ()) -> None:
    """Refuse a passphrase that would be guessed. Takes 10 ms; 1 s in the worst case.

    Not to be called from two threads at once: zxcvbn keeps `related` in a global.

    Args:
        passphrase: Prepared (see ``passphrase.prepared``).
        related: Words that an attacker would try first: names of the vault, the key, the namespace.

    Raises:
        WeakPassphraseError: It takes fewer than 10^16 guesses; the message has the estimate.
    """
    estimate = zxcvbn(passphrase[:JUDGED], list(related), max_length=JUDGED)
    guesses = float(estimate["guesses"])
    if guesses >= GUESSES_NEEDED:
        return
    power = int(math.log10(max(guesses, 1)))
    needs = f"fewer than 10^{_FEW} guesses, three hours or less"
    if power >= _FEW:
        time = estimate["crack_times_display"]["offline_slow_hashing_1e4_per_second"]
        needs = f"about 10^{power} guesses, {time}"
    raise WeakPassphraseError(
        f"the passphrase is too weak: it is found by {needs} at 10,000 guesses a second;"
        f" 10^{int(math.log10(GUESSES_NEEDED))} guesses are needed: use six or more words drawn at"
        " random (Diceware), or what `openssl rand -base64 24` prints"
    )
