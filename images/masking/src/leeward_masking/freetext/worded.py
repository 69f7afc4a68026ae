"""What only the words around it tell: medical record numbers and dates of birth; and addresses."""

from typing import Final

import polars as pl

from leeward_masking.freetext.spans import SPAN_SCHEMA, B, locate, spans

_RECORD_WORDS: Final = (
    r"(?i)(?:\bMRN|\bMR ?#|\bmedical record|\bhospital (?:number|no|id)|\bpatient (?:id|number"
    r"|no)\b"
    r"|\bchart (?:number|no|id)|\bcase (?:number|no)\b|\brecord (?:number|no)|\bunit (?:number"
    r"|no)\b"
    r"|\bencounter (?:number|no|id)|\baccession (?:number|no)|\bspecimen (?:number|no|id)"
    r"|病历号|住院号|病案号|门诊号|就诊号|就诊卡号|登记号|患者编号|病人编号|病历编号|住院编号|标本号|检查号|病人ID|患者ID)"
    r"(?:[:.#=]|\s|\b(?:is|was|number|no)\b|为|是|码)*"
)
_RECORD: Final = r"[A-Z]{0,4}[-/]?[0-9](?:[A-Z0-9]|[-/][A-Z0-9]){3,17}"
_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DATE: Final = (
    r"(?:(?:18|19|20)[0-9]{2}\s?年\s?[0-9]{1,2}\s?月(?:\s?[0-9]{1,2}\s?[日号])?"
    r"|(?:18|19|20)[0-9]{2}[-./][0-9]{1,2}[-./][0-9]{1,2}|(?:18|19|20)[0-9]{2}[01][0-9][0-3][0-9]"
    r"|[0-9]{1,2}[-./ ][0-9]{1,2}[-./ ](?:(?:18|19|20)[0-9]{2}|[0-9]{2})"
    rf"|(?:the )?[0-9]{{1,2}}(?:st|nd|rd|th)?[ \-](?:of )?{_MONTH},?[ \-](?:(?:18|19"
    rf"|20)[0-9]{{2}}|'?[0-9]{{2}})"
    rf"|{_MONTH} (?:[0-9]{{1,2}}(?:st|nd|rd|th)?,? )?(?:18|19|20)[0-9]{{2}})"
)
_BIRTH_WORDS: Final = (
    r"(?i)(?:\bd\.? ?o\.? ?b\.?|\bdate of birth|\bborn|\bbirth ?(?:date|day)|\bb\."
    r"|出生日期|出生年月日?|出生时间|出生于|生于|生日|出生)"
    r"(?:[:=,(]|\s|\b(?:is|was|on|in)\b|为|是|在|于)*"
)
_STREET: Final = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Boulevard|Blvd"
    r"|Way|Close|Crescent|Terrace|Parkway|Pkwy|Highway|Hwy|Circle|Gardens|Grove|Mews|Row|Quay|Walk"
    r"|Rise|Green|Trail|Hill)"
)
_UK_POSTCODE: Final = rf"{B}[A-Z]{{1,2}}[0-9][A-Z0-9]? [0-9][A-Z]{{2}}{B}"
_WORD: Final = r"\p{Lu}[\p{L}\p{M}'\-]+"
_TOWN_WORD: Final = r"\p{Lu}[\p{L}\p{M}'\-]*\p{Ll}"
_TOWN: Final = rf"{_TOWN_WORD}(?: {_TOWN_WORD}){{0,2}}"
_UNIT: Final = r"(?:Apt|Apartment|Unit|Suite|Ste|Flat|Room|Floor|#)\.? ?#?[A-Z0-9][A-Z0-9\-]{0,4}"
_ENGLISH: Final = (
    rf"(?:{B}{_UNIT},? )?{B}[0-9]{{1,5}}[A-Za-z]?(?:-[0-9]{{1,4}})? (?:[NSEW]{{1,2}}\.? )?"
    rf"(?:(?:{_WORD}|[0-9]{{1,3}}(?:st|nd|rd|th)) ){{1,3}}{_STREET}{B}"
    rf"(?:,? {_UNIT})?(?:,? {_TOWN})?(?:,? {_UK_POSTCODE}|(?:,? [A-Z]{{2}}{B})?(?:,?"
    rf" [0-9]{{5}}(?:-[0-9]{{4}})?{B})?)"
)
_EUROPEAN: Final = (
    rf"\p{{Lu}}\p{{L}}*(?:straße|strasse|str\.|weg|platz|gasse|allee|straat|laan|gatan|vägen)"
    rf" [0-9]{{1,4}}[a-z]?(?:,? [0-9]{{4,5}} ?(?:[A-Z]{{2}} )?{_TOWN})?"
    rf"|{B}[0-9]{{1,4}},? (?:bis |ter )?(?:rue|avenue|boulevard|place|chemin|allée|quai|impasse)"
    rf" (?:(?:de la|de|du|des|d'|le|la) ?)?{_TOWN}(?:,? [0-9]{{5}} {_TOWN})?"
    rf"|{B}(?:Calle|Via|Viale|Piazza|Plaza|Avenida|Corso|Paseo|ul\.) {_TOWN},? [0-9]{{1,4}}"
    rf"(?:,? [0-9]{{2}}-?[0-9]{{3}} {_TOWN})?"
)
_BOX: Final = r"(?i)\bP\.? ?O\.? box [0-9]{1,6}".replace(r"\b", B)
_HAN: Final = r"[\p{Han}--[住于在址到从是为的自现患者往籍贯院我他她由将诊区县市省路街号]]"
_FIRST: Final = (
    r""
    r"[\p{Han}--[住于在址到从是为家的来自现居患者往去至籍贯有本院我他她处由向将诊转寄及与区县市省路街号]]"
)
_NUMBER: Final = r"[0-9零一二三四五六七八九十百]"
_LEVEL: Final = (
    rf"(?:{_FIRST}{_HAN}{{1,6}}(?:自治区|自治州|省)|{_FIRST}{_HAN}{{0,5}}市"
    rf"|{_FIRST}{_HAN}{{0,4}}(?:新区|区|县|旗|镇|乡|街道))"
)
_ROAD: Final = (
    rf"{_FIRST}{_HAN}{{0,6}}(?:大道|大街|路|街|巷|胡同|弄|村)(?:[东南西北中一二三四五六七八九]段)?"
)
_TAIL: Final = (
    rf"(?:{_HAN}{{1,8}}(?:小区|花园|公寓|大厦|苑|里|城)|{_NUMBER}{{1,5}}(?:号楼|号院|号|弄|栋|幢|座|单元|室|楼|层|组)"
    r"|[A-Z]座|[0-9]{2,4})"
)
_CHINESE: Final = (
    rf"{_LEVEL}{{1,5}}{_ROAD}{_TAIL}{{0,6}}|{_LEVEL}{{1,4}}{_TAIL}{{1,6}}|{_ROAD}{_NUMBER}{{1,5}}[号弄]{_TAIL}{{0,5}}"
    rf"|{_LEVEL}{{2,5}}"
)


def find_record_numbers(notes: pl.DataFrame) -> pl.DataFrame:
    """Medical record numbers: letters and digits after a word for one."""
    found = locate(notes, f"(?i:{_RECORD})", before=_RECORD_WORDS)
    return spans(found, "MedicalRecordNumber", "record-word", 0.95)


def find_births(notes: pl.DataFrame) -> pl.DataFrame:
    """Dates of birth: a date next to a word for being born."""
    dated = notes.filter(pl.col("text").str.contains(r"(?i)b\.|b:|b\b|birth|born|生"))
    english = locate(dated, f"(?i:{_DATE})", before=_BIRTH_WORDS)
    behind = locate(dated, f"(?i:{_DATE})", after=r"(?i) ?-? ?\(?(?:DOB|date of birth)")
    chinese = locate(dated, _DATE, after=r"\s*(?:出生|生[,，。. ;；)）人])")
    found = [
        spans(english, "DateOfBirth", "birth-word", 0.95),
        spans(behind, "DateOfBirth", "birth-word", 0.9),
        spans(chinese, "DateOfBirth", "birth-word", 0.95),
    ]
    return pl.concat(found)


def find_addresses(notes: pl.DataFrame) -> pl.DataFrame:
    """Street addresses in English and western European forms, and British postcodes."""
    numbered = notes.filter(pl.col("text").str.contains("[0-9]"))
    found = [
        spans(locate(numbered, _ENGLISH), "Address", "street-en", 0.85),
        spans(locate(numbered, _EUROPEAN), "Address", "street-eu", 0.85),
        spans(locate(numbered, _BOX), "Address", "post-box", 0.9),
        spans(locate(numbered, _UK_POSTCODE), "Address", "postcode-uk", 0.7),
    ]
    return pl.concat([SPAN_SCHEMA.to_frame(), *found])


def find_chinese_addresses(notes: pl.DataFrame) -> pl.DataFrame:
    """Addresses in Chinese forms."""
    chinese = notes.filter(pl.col("text").str.contains_any(list("省市区县路街村镇巷弄")))
    return spans(locate(chinese, _CHINESE), "Address", "street-zh", 0.8)
