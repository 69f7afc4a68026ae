"""Writes lists from those that Faker and SCOWL carry, and notes with their licences.

python tools/names     the names and words of free-text detection, and what fakes are made of; the
                       same lists give the same bytes

Ordinary words come from /usr/share/dict (Debian packages wamerican and wbritish).

Of names for detection only lists of the locales below are taken, and only names of one word. Each
line of the file: given, surname or givenHan, a tab, and the names, separated by spaces.
"""

import gzip
import importlib
from importlib.metadata import version
from pathlib import Path

import fakes
import ordinary

DATA = Path(__file__).resolve().parents[2] / "images/masking/src/leeward_masking/freetext/data"
FAKES = DATA.parents[1] / "fakes/data"
LATIN = (
    "en_US en_GB en_IE en_NZ en_IN en_KE en_NG ga_IE de_DE de_AT de_CH fr_FR fr_CH fr_CA es_ES"
    " es_MX"
    " it_IT nl_NL pl_PL sv_SE no_NO pt_PT pt_BR da_DK fi_FI cs_CZ sk_SK hu_HU ro_RO hr_HR"
    " sl_SI et_EE"
    " lt_LT lv_LV tr_TR id_ID vi_VN yo_NG ig_NG zu_ZA ha_NG"
).split()
HAN = ["zh_CN"]
NOTE = """\
{files} lists of {what} from Faker {version} (https://github.com/joke2k/faker),
locales {locales}, sorted and made unique by tools/names. Faker is distributed under this licence:

Copyright (c) 2012 Daniele Faraglia

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE.
"""


def main() -> None:
    """Write the lists."""
    lists = {
        "given": _names(LATIN, "first_names"),
        "surname": _names(LATIN, "last_names"),
        "givenHan": _names(HAN, "first_names"),
    }
    text = "".join(f"{kind}\t{' '.join(names)}\n" for kind, names in lists.items())
    DATA.mkdir(exist_ok=True)
    (DATA / "names.tsv.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    _note(
        DATA / "names.LICENSE.txt", "names.tsv.gz holds", "given names and surnames", *LATIN, *HAN
    )
    ordinary.write(DATA)
    FAKES.mkdir(exist_ok=True)
    for locale in fakes.LOCALES:
        packed = gzip.compress(fakes.lists(locale).encode(), 9, mtime=0)
        (FAKES / f"{locale}.tsv.gz").write_bytes(packed)
    what = "names, streets, towns, companies and occupations"
    _note(FAKES / "LICENSE.txt", "The files of this folder hold", what, *fakes.LOCALES)
    for kind, names in lists.items():
        print(f"{kind}: {len(names)} names")


def _note(path: Path, files: str, what: str, *locales: str) -> None:
    text = NOTE.format(files=files, what=what, version=version("faker"), locales=", ".join(locales))
    path.write_text(text)


def _names(locales: list[str], attribute: str) -> list[str]:
    found = set()
    for locale in locales:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        found.update(name.lower() for name in getattr(provider, attribute))
    return sorted(name for name in found if not set(name) & set(" .'"))


if __name__ == "__main__":
    main()
