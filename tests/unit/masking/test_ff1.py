import string
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from leeward_masking.ciphers.ff1 import BatchFf1
from unit.masking import ff1reference

NIST_KEY = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
BASE36 = string.digits + string.ascii_lowercase
BASE64 = string.digits + string.ascii_uppercase + string.ascii_lowercase + "+/"
KEY = bytes(range(32))


class Vector(NamedTuple):
    key: str
    tweak: str
    alphabet: str
    plain: str
    sealed: str


# NIST, "Block Cipher Modes of Operation: FF1 Method for Format-Preserving Encryption", samples 1-9.
SAMPLES = [
    Vector(NIST_KEY[: 2 * size], tweak, alphabet, plain, sealed)
    for size, tweak, alphabet, plain, sealed in [
        (16, "", BASE36[:10], "0123456789", "2433477484"),
        (16, "39383736353433323130", BASE36[:10], "0123456789", "6124200773"),
        (16, "3737373770717273373737", BASE36, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
        (24, "", BASE36[:10], "0123456789", "2830668132"),
        (24, "39383736353433323130", BASE36[:10], "0123456789", "2496655549"),
        (24, "3737373770717273373737", BASE36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
        (32, "", BASE36[:10], "0123456789", "6657667009"),
        (32, "39383736353433323130", BASE36[:10], "0123456789", "1001623463"),
        (32, "3737373770717273373737", BASE36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
    ]
]

# NIST ACVP-Server, gen-val/json-files/ACVP-AES-FF1-1.0, groups of 256-bit keys and radix 10, 26 and
# 64; the names are theirs.
ACVP = {
    "tc157": Vector(
        "482AA6665295B066FC295D11AE95CC0B8B46B950434176ED4635509A16997BF5",
        "9C29",
        string.digits,
        "1147712124074142252",
        "7809376804923532892",
    ),
    "tc161": Vector(
        "2440B6AB72199219FD4D89F41519A0484C364638B9E27620B5A292944E08D301",
        "FC",
        string.digits,
        "530236761947028",
        "316775563329994",
    ),
    "tc164": Vector(
        "9B91C0526D8F3C9F5AC14AD0A31106B009A370BD9F85456CE9A1E556BD70CCE5",
        "",
        string.digits,
        "18181371629422565079933656612147407346646608435827795",
        "66346002964566045260265124367612522968119003987509744",
    ),
    "tc166": Vector(
        "546C726B672FFC0DEC8D3B146DD126FF8C4F79375692690C2134EBB7222420A0",
        "75ECE91E54966A46CA",
        string.digits,
        "424152872326532544989693492048977",
        "585559449890831150499900066889732",
    ),
    "tc171": Vector(
        "D61A2649F920B8332FDD53CD4C28BAF46622236C601B5B81898CEDF55AA1E5BF",
        "3320C6A541867E",
        string.digits,
        "46696607849",
        "37077621245",
    ),
    "tc176": Vector(
        "3A4CAEB9CA1167D9F46E4F481488C6C17689EDFC7BD31AD98B20FC37DF8F12FC",
        "",
        string.ascii_lowercase,
        "uylratfhod",
        "jedrnvgdxf",
    ),
    "tc177": Vector(
        "30CD3D73400C84F089282963A49E9CF91C69A09C8B00406474FBB822C00FAAB1",
        "76F10AF7E766AFADEE0AD762383B87AF",
        string.ascii_lowercase,
        "ruuflcdflrdblkubozwvqwrdvjbdqbrxwhnytfzy",
        "sazzjcmlgcvjdoeurdiebeltzcifapyiavtwobbe",
    ),
    "tc181": Vector(
        "FFBD5DB023ECB47FD3EBD5A6FF6088625AE148FF6B2CD72982754956DE267550",
        "",
        string.ascii_lowercase,
        "qlfxqrqdnrvmomviwwjycjcnylrsfytewpl",
        "jhpetwlqkbreeluynwopocreepdzkjvcfwp",
    ),
    "tc187": Vector(
        "BE28F1CA54E24EC512D3794C71E0453BC7520A70C6A1075E24835BF1AFF26975",
        "DD3FD1B5E81D0315CFEA3C",
        string.ascii_lowercase,
        "zcacgvolxy",
        "udyknkihva",
    ),
    "tc201": Vector(
        "4A177545F1BB2A14B5CBD018B05ABA5D5541D6F20286E0A38EA47A4FF34BBECC",
        "",
        BASE64,
        "wdZcCmebzf",
        "NYqcfE0Q4O",
    ),
    "tc202": Vector(
        "42DC85418E1E0CC6B652091EE25EE7B945EEF3928D4E4CA9F9AD9EB5730FB619",
        "78FC11F1C54D61C3660F652224FED7B2",
        BASE64,
        "hr8VCBn+7BLcNpyVIWzmsV9REEAB",
        "px7e1mJ54weGBIXeS+YgtCSfaIho",
    ),
    "tc204": Vector(
        "14384A9C8A4E84374D958D2DEFF7655CEE228F4E646367E5C295F84F47BC6583",
        "6F",
        BASE64,
        "zcb6+GpDPyiMwpKf1SyVh",
        "iZ7HD55y1I/Q33G48qh3h",
    ),
    "tc388": Vector(
        "8C7728BA6F3852E0A4646013DCA7C85FE561340CD5FAEE2C9336E1EEC8561FF3",
        "BBD686F2B37BE94F049806",
        string.digits,
        "2063609104093782674771593279434303200905413683856136780",
        "5962092579999754498032934080530501303423686840440674001",
    ),
    "tc398": Vector(
        "8B89D099E6854D86E428768CBEAAA2654A1ECBA61E8F05E378DE57ABF482D171",
        "70",
        string.digits,
        "85290348979671",
        "05471407708183",
    ),
    "tc402": Vector(
        "2D9D381FAD23F79533B9CE830EA002AD7AFB04AECEA05CEF8471B3D0CA97EE96",
        "F775E7437DF3E2ED88020B27A705C38B",
        string.ascii_lowercase,
        "ujkxhlnzhaujyroguqdsirckwgrllsfznupiwyft",
        "feobxuettywomzdokafayufifcgvuxpfaenylwxj",
    ),
    "tc427": Vector(
        "84254E06C81739BC2232BCF554AD92F8B799C4BA15F1991CFC3D9B74201FDF82",
        "401E690C7A225B7A4E8412503960CE98",
        BASE64,
        "RVRN7XjDSyLIX6tiCXEstS4jvTDn",
        "h73RGLJg55IJ76I7F9ub8V21kYTP",
    ),
    "tc440": Vector(
        "11B60D6563F1E46ECE6C69DC647003FDBCC0B2100C73799C888CC5658FD1841B",
        "B29BC790D34B9A0DD46E",
        BASE64,
        "oVlFR2MHwq2IC",
        "yXsdsPN9Siww7",
    ),
}


def numerals(alphabet: str, *texts: str) -> NDArray[np.uint16]:
    return np.array([[alphabet.index(letter) for letter in text] for text in texts], np.uint16)


def no_tweaks(rows: int) -> NDArray[np.uint8]:
    return np.empty((rows, 0), np.uint8)


@pytest.mark.parametrize("vector", [*SAMPLES, *ACVP.values()], ids=[*map(str, range(1, 10)), *ACVP])
def test_official_vectors(vector: Vector) -> None:
    key, tweak = bytes.fromhex(vector.key), bytes.fromhex(vector.tweak)
    radix = len(vector.alphabet)
    plain = numerals(vector.alphabet, vector.plain)
    sealed = numerals(vector.alphabet, vector.sealed)
    tweaks = np.frombuffer(tweak, np.uint8)[None]
    assert BatchFf1(key, radix).encrypt(plain, tweaks).tolist() == sealed.tolist()
    assert BatchFf1(key, radix).decrypt(sealed, tweaks).tolist() == plain.tolist()
    assert ff1reference.encrypt(key, radix, tweak, plain[0].tolist()) == sealed[0].tolist()


@pytest.mark.parametrize(("radix", "length"), [(10, 6), (2, 20), (1000, 2), (100, 3)])
def test_is_a_permutation_of_a_small_domain(radix: int, length: int) -> None:
    size = radix**length
    numbers = np.arange(size)
    rows = np.stack(
        [numbers // radix ** (length - 1 - place) % radix for place in range(length)], axis=1
    ).astype(np.uint16)
    cipher = BatchFf1(KEY, radix)
    sealed = cipher.encrypt(rows, no_tweaks(size))
    powers = radix ** np.arange(length - 1, -1, -1)
    assert np.array_equal(np.sort(sealed.astype(np.int64) @ powers), numbers)
    assert np.array_equal(cipher.decrypt(sealed, no_tweaks(size)), rows)


@pytest.mark.parametrize("radix", [2, 3, 10, 16, 62, 256, 1625, 65535, 65536])
@pytest.mark.parametrize("length", [20, 33, 128])
def test_extreme_numerals_are_exact(radix: int, length: int) -> None:
    rows = np.array([[0] * length, [radix - 1] * length], np.uint16)
    sealed = BatchFf1(KEY, radix).encrypt(rows, np.full((2, 17), 255, np.uint8))
    expected = [
        ff1reference.encrypt(KEY, radix, b"\xff" * 17, row) for row in rows.astype(int).tolist()
    ]
    assert sealed.tolist() == expected


def test_rows_have_tweaks_of_their_own() -> None:
    rows = np.tile(numerals(string.digits, "1234567890"), (40, 1))
    tweaks = np.arange(40 * 30, dtype=np.uint8).reshape(40, 30)
    sealed = BatchFf1(KEY, 10).encrypt(rows, tweaks)
    expected = [ff1reference.encrypt(KEY, 10, t.tobytes(), rows[0].tolist()) for t in tweaks]
    assert sealed.tolist() == expected


@pytest.mark.parametrize(("radix", "length"), [(10, 5), (2, 19), (999, 2), (65536, 1)])
def test_small_domains_are_refused(radix: int, length: int) -> None:
    with pytest.raises(ValueError, match="too few"):
        BatchFf1(KEY, radix).encrypt(np.zeros((1, length), np.uint16), no_tweaks(1))


@pytest.mark.parametrize("radix", [1, 65537])
def test_other_radices_are_refused(radix: int) -> None:
    with pytest.raises(ValueError, match="2 to 65536"):
        BatchFf1(KEY, radix)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="key"):
        BatchFf1(KEY[:31], 10)
