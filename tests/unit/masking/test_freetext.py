"""Detection in free text: each entity, positions, overlaps, and what must not be found."""

import polars as pl
import pytest

from leeward.api.rustregex import search_fault
from leeward_masking.errors import JobError
from leeward_masking.freetext import (
    ENTITIES,
    SPAN_SCHEMA,
    CustomDictionary,
    CustomPattern,
    FreeTextDetector,
)
from leeward_masking.freetext.custom import KnownValues

DETECTOR = FreeTextDetector()


def found(note: str, detector: FreeTextDetector = DETECTOR) -> list[tuple[str, str]]:
    spans = detector.find(pl.Series([note]))
    return [(entity, note[start:end]) for _, start, end, entity, *_ in spans.iter_rows()]


# Published examples of the issuers, of Wikipedia's pages on each number, and of ISO 13616.
NUMBERS = [
    ("NationalId", "SSN", "078-05-1120", "000-05-1120"),
    ("NationalId", "SSN", "457-55-5462", "666-55-5462"),
    ("NationalId", "SSN", "457-55-5462", "457-00-5462"),
    ("NationalId", "NHS", "943 476 5919", "943 476 5918"),
    ("NationalId", "Steuer-ID", "86095742719", "86095742718"),
    ("NationalId", "IdNr", "47 036 892 816", "47 036 892 817"),
    ("NationalId", "NIR", "2 55 08 14 168 025 38", "2 55 08 14 168 025 39"),
    ("NationalId", "codice fiscale", "RSSMRA85T10A562S", "RSSMRA85T10A562T"),
    ("NationalId", "DNI", "12345678Z", "12345678A"),
    ("NationalId", "NIE", "X1234567L", "Y1234567L"),
    ("NationalId", "BSN", "111222333", "111222334"),
    ("NationalId", "身份证", "11010519491231002X", "110105194912310021"),
    ("NationalId", "身份证", "440524188001010014", "440524188013010014"),
    ("NationalId", "PESEL", "44051401359", "44051401358"),
    ("NationalId", "personnummer", "811218-9876", "811218-9875"),
    ("NationalId", "personnummer", "19811218-9876", "19811318-9876"),
    ("Card", "Visa", "4111 1111 1111 1111", "4111 1111 1111 1112"),
    ("Card", "Amex", "378282246310005", "378282246310006"),
    ("Card", "MC", "5500-0055-5555-5559", "5500-0055-5555-5558"),
    ("Card", "paid", "2223003122003222", "2221003122003222"),
    ("Iban", "to", "DE89 3704 0044 0532 0130 00", "DE88 3704 0044 0532 0130 00"),
    ("Iban", "to", "GB82WEST12345698765432", "GB82WEST1234569876543"),
    ("Iban", "to", "FR1420041010050500013M02606", "XX1420041010050500013M02606"),
    ("Ip", "from", "192.0.2.255", "192.0.2.256"),
    ("Ip", "from", "2001:db8::ff00:42:8329", "12:30:45"),
]


@pytest.mark.parametrize(("entity", "word", "good", "bad"), NUMBERS)
def test_numbers_are_found_only_where_their_check_fits(
    entity: str, word: str, good: str, bad: str
) -> None:
    assert (entity, good) in found(f"{word} {good}, noted")
    assert entity not in [name for name, _ in found(f"{word} {bad}, noted")]


def test_corsican_number_counts_its_letter() -> None:
    # INSEE: 2A counts as 19; 1 55 08 19 168 025 modulo 97 gives the key.
    key = 97 - 1550819168025 % 97
    assert found(f"NIR 155082A168025{key:02}")[0][0] == "NationalId"


def test_plain_numbers_need_a_word_near_them() -> None:
    assert found("order 111222333 and 44051401359") == []
    assert found("bsn 111222333") == [("NationalId", "111222333")]


def test_a_card_is_found_next_to_other_digits_and_an_iban_before_a_word() -> None:
    assert ("Card", "4111 1111 1111 1111") in found("4111 1111 1111 1111 12/25")
    assert found("IBAN DE89 3704 0044 0532 0130 00 PAID") == [
        ("Iban", "DE89 3704 0044 0532 0130 00")
    ]


@pytest.mark.parametrize(
    "number",
    [
        "+44 20 7946 0321",
        "(617) 555-0143",
        "0161 496 0345",
        "+86 138 0013 8000",
        "13800138000",
        "010-82345678",
        "06 12 34 56 78",
        "0049 30 901820",
    ],
)
def test_phones(number: str) -> None:
    assert found(f"x {number}.") == [("Phone", number)]


@pytest.mark.parametrize(
    "note",
    [
        "seen 2024-02-11, 04/09/2024 and 01.02.2024",
        "BP 142/88, Na 139, 12.5 mg at 14:30:00",
        "version 10.1.2.3",
        "白细胞7.8，血红蛋白131，主管医生查房",
        "user@localhost and @handle",
        "::",
    ],
)
def test_nothing_personal(note: str) -> None:
    assert found(note) == []


def test_positions_are_characters() -> None:
    note = "😀 e\u0301 👩‍👩‍👧 张 a@b.org\r\n電話 １３８００１３８０００ x@y.org"
    assert found(note) == [
        ("Mail", "a@b.org"),
        ("Phone", "１３８００１３８０００"),
        ("Mail", "x@y.org"),
    ]


def test_noncharacters_of_the_note_do_not_move_positions() -> None:
    assert found("a\ufdd0b \ufdd0a@b.org\ufdd0") == [("Mail", "a@b.org")]


def test_empty_null_and_very_long_notes() -> None:
    long = "lorem ipsum dolor " * 60_000 + "mail jo@doe.example"
    spans = DETECTOR.find(pl.Series([None, "", long, None, "a@b.org"]))
    assert spans.select("row", "entity").rows() == [(2, "Mail"), (4, "Mail")]
    assert spans["end"][0] == len(long)
    for empty in ([], [None], [""]):
        assert DETECTOR.find(pl.Series(empty, dtype=pl.String)).schema == SPAN_SCHEMA


def test_what_is_found_does_not_depend_on_the_rest_of_the_batch() -> None:
    notes = ["Mr Abel Zorn, 020 7946 0912", "ssn 078-05-1120", "患者张伟，男", "", "plain"]
    batch = DETECTOR.find(pl.Series(notes * 3)).drop("row").rows()
    single = [row for note in notes for row in DETECTOR.find(pl.Series([note])).drop("row").rows()]
    assert batch == single * 3


def test_names_by_cue_dictionary_and_repetition() -> None:
    assert found("Dr. Qorvath saw Mary Jones. Qorvath left.") == [
        ("Person", "Qorvath"),
        ("Person", "Mary Jones"),
        ("Person", "Qorvath"),
    ]
    assert found("Will review. Mark the site. Hope so.") == []
    assert found("患者诸葛明，请王医生看。") == [("Person", "诸葛明"), ("Person", "王")]


def test_names_end_at_the_end_of_a_note() -> None:
    detector = FreeTextDetector(["Person"])
    spans = detector.find(pl.Series(["seen by Mary", "Jones was late", "Mr", "Smithers late"]))
    assert spans.select("row", "start", "end").rows() == [(0, 8, 12)]


def test_addresses_and_words_around_dates() -> None:
    assert found("at 14 Larkspur Lane, Duxbury, MA 02332 now") == [
        ("Address", "14 Larkspur Lane, Duxbury, MA 02332")
    ]
    assert found("现住北京市朝阳区建国路88号3号楼201室，独居") == [
        ("Address", "北京市朝阳区建国路88号3号楼201室")
    ]
    assert found("born 17 March 1948, MRN: 00482913") == [
        ("DateOfBirth", "17 March 1948"),
        ("MedicalRecordNumber", "00482913"),
    ]


def test_the_longest_wins_and_then_the_entity() -> None:
    assert found("https://x.example/a@b.org") == [("Url", "https://x.example/a@b.org")]
    custom = FreeTextDetector(["Mail"], [CustomPattern("Staff", "staff", r"[a-z]+@b\.org")])
    assert found("jo@b.org", custom) == [("Staff", "jo@b.org")]


def test_custom_patterns_and_dictionaries() -> None:
    detector = FreeTextDetector(
        [],
        [
            CustomPattern("Trial", "trial ids", r"TR-[0-9]{4}"),
            CustomDictionary("Project", "projects", ["blue heron", "新星"]),
        ],
    )
    assert found("😀 TR-0042 of Blue Heron and blue herons in 新星计划", detector) == [
        ("Trial", "TR-0042"),
        ("Project", "Blue Heron"),
        ("Project", "新星"),
    ]


def test_a_term_that_is_part_of_a_word_hides_no_other() -> None:
    terms = ["Lee", "Leeds Clinic", "New", "New York", "Mary Ann", "Annex B"]
    detector = FreeTextDetector([], [CustomDictionary("Place", "places", terms)])
    assert found("Leeds Clinic, New York", detector) == [
        ("Place", "Leeds Clinic"),
        ("Place", "New York"),
    ]
    assert found("Mary Annex B", detector) == [("Place", "Annex B")]


def test_terms_are_found_with_other_spaces_and_apostrophes() -> None:
    terms = ["St Mary's", "\uff2c\uff37\uff11"]
    detector = FreeTextDetector([], [CustomDictionary("Place", "places", terms)])
    note = "st\u00a0mary\u2019s, LW1"
    assert found(note, detector) == [("Place", note[:9]), ("Place", "LW1")]


@pytest.mark.parametrize(
    ("name", "note", "words"),
    [
        ("John Johnson", "Seen: Johnson, johnson", ["Johnson"]),
        ("Dan Daniels", "DANIELS rang", ["DANIELS"]),
        ("Ann Annable", "Ann Annable, Annable", ["Ann Annable", "Annable"]),
        (
            "Ed O'Brien",
            "Ed\u00a0O\u2019Brien, O\u2019Brien",
            ["Ed\u00a0O\u2019Brien", "O\u2019Brien"],
        ),
        ("Ed O\u2019Brien", "O'Brien, O\u2019BRIEN", ["O'Brien", "O\u2019BRIEN"]),
    ],
)
def test_words_of_a_known_name_are_found_however_they_are_written(
    name: str, note: str, words: list[str]
) -> None:
    detector = FreeTextDetector(
        [], [CustomPattern("X", "none", "zzz")], known=[KnownValues("Person", "n")]
    )
    spans = detector.find(pl.Series([note]), [pl.Series([name])])
    assert [note[a:b] for a, b in spans.select("start", "end").iter_rows()] == words


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(secret", "unclosed group"),
        ("(?=secret)a", "look-around"),
        (r"(a)\1", "backreferences"),
        ("a*", "matches the empty text"),
        (r"(\w{100}){1000}", "too large"),
        ("a" * 5000, "4096 characters"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(JobError, match=reason) as refused:
        CustomPattern("X", "mine", pattern)
    assert refused.value.code == "InvalidConfig"
    assert '"mine"' in refused.value.message
    assert "secret" not in refused.value.message


@pytest.mark.parametrize(
    "pattern",
    [r"(?-u:\xff)", r"[\p{L}--\p{Han}]", r"\w{50}", r"\w{300}", "(?P<a>x)(?P<a>y)", r"\Z"],
)
def test_the_crate_that_checks_patterns_takes_what_the_one_that_searches_takes(
    pattern: str,
) -> None:
    try:
        pl.Series(["x"]).str.contains(pattern)
        taken = True
    except pl.exceptions.ComputeError:
        taken = False
    assert (search_fault(pattern) is None) is taken


def test_letters_that_match_ascii_ones_without_case_are_none() -> None:
    note = "ſsſmra85t10a562s GB82WEſT12345698765432 12345678\u212a x1234567\u212a"
    assert found(note) == []
    assert ("NationalId", "rssmra85t10a562s") in found("rssmra85t10a562s")


def test_empty_matches_are_no_spans() -> None:
    assert found("ab cd", FreeTextDetector([], [CustomPattern("X", "edges", r"\b|cd")])) == []


def test_senseless_configurations_are_refused() -> None:
    with pytest.raises(JobError, match="no detector finds Iris"):
        FreeTextDetector(["Iris"])
    with pytest.raises(JobError, match="nothing is to be found"):
        FreeTextDetector([])
    with pytest.raises(JobError, match="empty"):
        CustomDictionary("X", "mine", ["a", " "])


def test_unsure_spans_can_be_left_out() -> None:
    assert found("call Priscilla", FreeTextDetector(["Person"])) == [("Person", "Priscilla")]
    assert found("call Priscilla", FreeTextDetector(["Person"], min_confidence=0.7)) == []


def test_each_entity_can_be_asked_for_alone() -> None:
    for entity in ENTITIES:
        assert FreeTextDetector([entity]).find(pl.Series(["x"])).is_empty()
