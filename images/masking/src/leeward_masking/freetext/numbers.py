"""What can be told by its form alone: mail, URLs, IP addresses, cards, IBANs and phones."""

import ipaddress
import re
from typing import Final

import numpy as np
import polars as pl

from leeward_masking.freetext.checks import characters, compact, luhn
from leeward_masking.freetext.spans import SPAN_SCHEMA, B, locate, spans, where

_MAIL: Final = (
    r"[\p{Latin}0-9](?:[\p{Latin}0-9.!#$%&'*+/=?^_`{|}~\-]*[\p{Latin}0-9_+\-])?"
    r"@(?:[\p{Latin}0-9](?:[\p{Latin}0-9\-]*[\p{Latin}0-9])?\.)+(?:xn--[a-z0-9]+|[\p{Latin}]{2,63})"
)
"""Practical form of RFC 5321, 4.1.2, without quoted local parts, with Latin letters of RFC 6531."""
_URL_CHARACTER: Final = r"[^\s<>\x22'\p{Han}，。；、：！？（）【】《》“”]"
_URL: Final = rf"(?i)(?:{B}(?:https?|ftps?)://|{B}www\.){_URL_CHARACTER}*[a-z0-9/=#&_~%+\-]"
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IP4: Final = rf"{B}{_OCTET}(?:\.{_OCTET}){{3}}{B}"
_IP6: Final = r"(?i)[0-9a-f]{0,4}:[0-9a-f]{0,4}:[0-9a-f:]*(?:[0-9a-f]|:)(?:\.[0-9]{1,3}){0,3}"
_VERSION: Final = r"(?i)(?:version|\bv\.?|release|firmware|build|section|版本)\s*$"
_CARD: Final = (
    rf"{B}(?:62[0-9]{{2}}(?:[ -][0-9]{{4}}){{3}}[ -][0-9]{{3}}|[2-6][0-9]{{3}}(?:["
    rf" -][0-9]{{4}}){{3}}"
    rf"|3[0-9]{{3}}[ -][0-9]{{6}}[ -][0-9]{{4,5}}|[2-6][0-9]{{12,18}}){B}"
)
_CARD_RANGES: Final = (
    r"^(?:4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}"  # American Express
    r"|(?:30[0-5][0-9]|3[689][0-9]{2})[0-9]{10,15}"  # Diners Club
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12,15}"  # Discover
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|62[0-9]{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{8,15})$"  # Maestro
)
"""Issuer ranges and lengths (ISO/IEC 7812-1) as the card schemes publish them."""
_IBAN: Final = rf"(?i){B}[A-Z]{{2}}[0-9]{{2}}(?:[ -]?[A-Z0-9]{{1,4}}){{3,9}}{B}"
_IBAN_LENGTHS: Final = {
    country: int(length)
    for length, countries in (
        entry.split(":")
        for entry in (
            "15:NO 16:BE 18:DK,FI,FO,GL,NL,SD,FK 19:MK,SI 20:AT,BA,EE,KZ,LT,LU,XK,MN"
            " 21:CH,HR,LI,LV 22:BG,BH,CR,DE,GB,GE,IE,ME,RS,VA 23:AE,GI,IL,IQ,OM,SO,TL"
            " 24:AD,CZ,ES,MD,PK,RO,SA,SE,SK,TN,VG 25:LY,PT,ST 26:IS,TR 27:BI,DJ,FR,GR,IT,MC,MR,SM"
            " 28:AL,AZ,BY,CY,DO,GT,HU,LB,NI,PL,SV 29:BR,EG,PS,QA,UA 30:JO,KW,MU,YE 31:MT,SC"
            " 32:LC 33:RU"
        ).split()
    )
    for country in countries.split(",")
}
"""Characters of an IBAN by country (SWIFT, IBAN Registry)."""
_PHONE: Final = "|".join(
    (
        r"(?:\+|\b00)[1-9][0-9]{0,2}[ .\-/]?(?:\(0?[0-9]{1,4}\)[ .\-/]?)?[0-9]{1,5}(?:["
        r" .\-/]?[0-9]{2,8}){1,5}",
        r"(?:\b1[ .\-])?(?:\([2-9][0-9]{2}\) ?|\b[2-9][0-9]{2}[ .\-])[2-9][0-9]{2}[ .\-][0-9]{4}\b"
        r"(?: ?(?:x|ext\.?) ?[0-9]{1,5}\b)?",
        r"\b1[3-9][0-9][ \-]?[0-9]{4}[ \-]?[0-9]{4}\b",
        r"\b400[ \-]?[0-9]{3}[ \-]?[0-9]{4}\b",
        r"\b0(?:10|2[0-9]|[3-9][0-9]{2})-?[0-9]{7,8}\b",
        r"(?:\(0[1-9][0-9]{1,4}\)|\b0[1-9][0-9]{0,4})(?: ?[./\-] ?| )[0-9]{2,9}(?:["
        r" .\-][0-9]{2,9}){0,4}\b",
        r"\b0[1-9][0-9]{8,9}\b",
        r"\b[4-9][0-9]{2}[ .\-][0-9]{3}[ .\-][0-9]{3}\b",
        r"\b[6-9][0-9]{4}[ \-][0-9]{5}\b",
        r"\b3[0-9]{2}[ .\-]?[0-9]{3}[ .\-]?[0-9]{4}\b",
    )
).replace(r"\b", B)
"""E.164 with its prefix, and national forms of North America, China, Europe, India and others."""
_PHONE_WORDS: Final = (
    r"(?i)(?:\btel(?:ephone)?|\bphone|\bmobile|\bcell|\bfax|\bpager|\bring|\bcall|电话|手机|号码|致电|传真|微信)"
    r"(?: no\.?| number| on| at)?(?:[:.#=号码为是]|\s)*"
)
_DATE_LIKE: Final = (
    r"^[0-9]{1,2}[./\-][0-9]{1,2}[./\-](?:19|20)[0-9]{2}(?:[^0-9]|$)|^(?:19"
    r"|20)[0-9]{2}-[01][0-9]-[0-3][0-9]"
)


def find_mail(notes: pl.DataFrame) -> pl.DataFrame:
    """Mail addresses."""
    found = locate(notes.filter(pl.col("text").str.contains("@", literal=True)), _MAIL)
    return spans(found, "Mail", "mail", 1.0)


def find_urls(notes: pl.DataFrame) -> pl.DataFrame:
    """Web addresses with their scheme, or beginning with www."""
    hinted = pl.col("text").str.contains_any(["://", "www."], ascii_case_insensitive=True)
    return spans(locate(notes.filter(hinted), _URL), "Url", "url", 1.0)


def find_ips(notes: pl.DataFrame) -> pl.DataFrame:
    """IP addresses (RFC 791 in decimal, RFC 4291); no version numbers after a word that says so."""
    four = locate(notes, _IP4).filter(
        ~pl.col("left").str.contains(r"[0-9]\.$|[0-9]-$")
        & ~pl.col("right").str.contains(r"^(?:\.[0-9]|-[0-9])")
        & ~pl.col("left").str.contains(_VERSION)
    )
    hinted = pl.col("text").str.contains(r"::|(?:[0-9A-Fa-f]+:){7}")
    six = locate(notes.filter(hinted), _IP6)
    six = where(six, np.array([_is_ip6(text) for text in six.get_column("text")], np.bool_))
    return pl.concat([spans(four, "Ip", "ipv4", 0.95), spans(six, "Ip", "ipv6", 1.0)])


def _is_ip6(text: str) -> bool:
    if text in ("::", "::1"):
        return text == "::1"
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def find_cards(notes: pl.DataFrame) -> pl.DataFrame:
    """Payment cards: issuer range, length and check digit (ISO/IEC 7812-1)."""
    found = locate(notes, _CARD)
    found = found.with_columns(digits=compact(found.get_column("text")))
    found = found.filter(pl.col("digits").str.contains(_CARD_RANGES))
    padded = found.get_column("digits").str.pad_start(19, "0")
    return spans(where(found, luhn(characters(padded, 19) - 48)), "Card", "card", 1.0)


def find_ibans(notes: pl.DataFrame) -> pl.DataFrame:
    """IBANs (ISO 13616-1): length of the country, and 1 modulo 97."""
    # Without case, [A-Z] matches two letters beyond ASCII, too (long s, Kelvin sign).
    found = locate(notes, _IBAN).filter(~pl.col("text").str.contains(r"[^\x00-\x7f]"))
    lengths = np.array([_iban_length(text) for text in found.get_column("text")], np.int64)
    ended = found.with_columns(end=pl.col("start") + pl.Series(lengths, dtype=pl.Int64))
    return spans(where(ended, lengths > 0), "Iban", "iban", 1.0)


def _iban_length(text: str) -> int:
    """Characters of the IBAN that the text begins with; 0: with none."""
    wanted = _IBAN_LENGTHS.get(text[:2].upper(), 0)
    places = [place for place, sign in enumerate(text) if sign.isalnum()]
    if not wanted or len(places) < wanted:
        return 0
    end = places[wanted - 1] + 1
    if text[end : end + 1].isalnum():
        return 0
    value = re.sub("[ -]", "", text[:end])
    return end if int("".join(str(int(s, 36)) for s in value[4:] + value[:4])) % 97 == 1 else 0


def find_phones(notes: pl.DataFrame) -> pl.DataFrame:
    """Phone numbers: international (E.164), in national forms, and any digits after such a word."""
    numbered = notes.filter(pl.col("text").str.contains(r"[0-9][0-9 ().\-/]{3}"))
    formed = locate(numbered, _PHONE).filter(
        pl.col("text").str.count_matches("[0-9]").is_between(8, 20)
        & ~pl.col("text").str.contains(_DATE_LIKE)
        & ~pl.col("left").str.contains(r"[0-9][./\-]?$|[A-Za-z]-?$")
        & ~pl.col("right").str.contains(r"^(?:[0-9]|-[0-9]|/[0-9])")
    )
    worded = locate(
        numbered, rf"\+?[(0-9][0-9 ().\-/]{{4,18}}[0-9]{B}", before=_PHONE_WORDS
    ).filter(
        pl.col("text").str.count_matches("[0-9]").is_between(6, 15)
        & ~pl.col("text").str.contains(_DATE_LIKE)
    )
    found = [spans(formed, "Phone", "phone", 0.85), spans(worded, "Phone", "phone-word", 0.95)]
    return pl.concat([SPAN_SCHEMA.to_frame(), *found])
