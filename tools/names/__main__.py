"""Writes the name lists of free-text detection from those that Faker carries (MIT licence).

python tools/names     writes names.tsv.gz and its licence note; the same lists give the same bytes

Only lists of the locales below are taken, and only names of one word. Each line of the file: given,
surname or givenHan, a tab, and the names, separated by spaces.
"""

import gzip
import importlib
from importlib.metadata import version
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "images/masking/src/leeward_masking/freetext/data"
LATIN = (
    "en_US en_GB en_IE en_NZ en_IN en_KE en_NG ga_IE de_DE de_AT de_CH fr_FR fr_CH fr_CA es_ES"
    " es_MX"
    " it_IT nl_NL pl_PL sv_SE no_NO pt_PT pt_BR da_DK fi_FI cs_CZ sk_SK hu_HU ro_RO hr_HR"
    " sl_SI et_EE"
    " lt_LT lv_LV tr_TR id_ID vi_VN yo_NG ig_NG zu_ZA ha_NG"
).split()
HAN = ["zh_CN"]
NOTE = """\
names.tsv.gz holds lists of given names and surnames from Faker {version} (https://github.com/joke2k/faker),
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
    note = NOTE.format(version=version("faker"), locales=", ".join([*LATIN, *HAN]))
    (DATA / "names.LICENSE.txt").write_text(note)
    for kind, names in lists.items():
        print(f"{kind}: {len(names)} names")


def _names(locales: list[str], attribute: str) -> list[str]:
    found = set()
    for locale in locales:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        found.update(name.lower() for name in getattr(provider, attribute))
    return sorted(name for name in found if not set(name) & set(" .'"))


if __name__ == "__main__":
    main()
