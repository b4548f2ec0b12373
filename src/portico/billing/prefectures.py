"""The prefectures of Japan, from north to south, as WHMCS may hold them: in Japanese or in Latin letters."""

from __future__ import annotations

PREFECTURES: tuple[tuple[str, str], ...] = (
    ("北海道", "Hokkaido"), ("青森県", "Aomori"), ("岩手県", "Iwate"), ("宮城県", "Miyagi"), ("秋田県", "Akita"),
    ("山形県", "Yamagata"), ("福島県", "Fukushima"), ("茨城県", "Ibaraki"), ("栃木県", "Tochigi"), ("群馬県", "Gunma"),
    ("埼玉県", "Saitama"), ("千葉県", "Chiba"), ("東京都", "Tokyo"), ("神奈川県", "Kanagawa"), ("新潟県", "Niigata"),
    ("富山県", "Toyama"), ("石川県", "Ishikawa"), ("福井県", "Fukui"), ("山梨県", "Yamanashi"), ("長野県", "Nagano"),
    ("岐阜県", "Gifu"), ("静岡県", "Shizuoka"), ("愛知県", "Aichi"), ("三重県", "Mie"), ("滋賀県", "Shiga"),
    ("京都府", "Kyoto"), ("大阪府", "Osaka"), ("兵庫県", "Hyogo"), ("奈良県", "Nara"), ("和歌山県", "Wakayama"),
    ("鳥取県", "Tottori"), ("島根県", "Shimane"), ("岡山県", "Okayama"), ("広島県", "Hiroshima"),
    ("山口県", "Yamaguchi"), ("徳島県", "Tokushima"), ("香川県", "Kagawa"), ("愛媛県", "Ehime"), ("高知県", "Kochi"),
    ("福岡県", "Fukuoka"), ("佐賀県", "Saga"), ("長崎県", "Nagasaki"), ("熊本県", "Kumamoto"), ("大分県", "Oita"),
    ("宮崎県", "Miyazaki"), ("鹿児島県", "Kagoshima"), ("沖縄県", "Okinawa"),
)  # fmt: skip
assert len(PREFECTURES) == 47


def choices(stored: str, typed: str, language: str) -> list[tuple[str, str]]:
    """(value, words) of a select. Values are in the script of what is stored, so that an address stays of one script;
    the words show both. What is stored or was typed and is no prefecture is kept as a choice of its own.
    """
    in_latin = stored.isascii() if stored else language != "ja"
    shown = [(latin if in_latin else japanese, f"{japanese} {latin}") for japanese, latin in PREFECTURES]
    known = {value for value, _ in shown}
    others = dict.fromkeys(value for value in (stored, typed) if value and value not in known)
    first = [] if stored or typed else [("", "")]
    return [*first, *((value, value) for value in others), *shown]
