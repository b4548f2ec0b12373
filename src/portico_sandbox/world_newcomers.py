"""People whom the portal does not know yet: free customer numbers, WHMCS users to link, and the awkward cases."""

from __future__ import annotations

from portico_sandbox.world_bills import monthly_bills
from portico_sandbox.world_types import Address, Card, InvoiceLine, Person, Service

FREE = (
    Person(
        "陽菜", "佐藤", "hina.sato@mail.example", "090-0000-0101",
        Address("150-0041", "東京都", "渋谷区", "神南1-2-3", "サンハイツ201"),
        "CN-100101", "0015g00000pBY01AAG", "0035g00000pBY01AAG", "free",
        ("Mobile",), notes="May have mobile.",
    ),
    Person(
        "Emma", "Fischer", "emma.fischer@mail.example", "090-0000-0102",
        Address("106-0032", "Tokyo", "Minato-ku", "Roppongi 4-5-6"),
        "CN-100102", "0015g00000Qcz02AAB", "0035g00000Qcz02AAB", "free",
        ("Mobile", "Internet"), "Eligible", "Fiber 10 Gbps", notes="May have everything; Latin script.",
    ),
    Person(
        "蓮", "鈴木", "ren.suzuki@mail.example", "090-0000-0103",
        Address("530-0001", "大阪府", "大阪市北区", "梅田2-4-9", "1205号室"),
        "CN-100103", "0015g00000qDW03AAG", "0035g00000qDW03AAG", "free",
        ("Internet",), "Eligible", "Fiber 1 Gbps", notes="May have internet.",
    ),
    Person(
        "Lucas", "Moreau", "lucas.moreau@mail.example", "090-0000-0104",
        Address("231-0023", "Kanagawa", "Yokohama-shi Naka-ku", "Yamashita-cho 70"),
        "CN-100104", "0015g00000Rex04AAB", "0035g00000Rex04AAB",
        "free", (), "Checking", notes="Nothing yet: the address is being checked.",
    ),
    Person(
        "結衣", "高橋", "yui.takahashi@mail.example", "090-0000-0105",
        Address("060-0001", "北海道", "札幌市中央区", "北一条西2-1"),
        "CN-100105", "0015g00000rFY05AAG", "0035g00000rFY05AAG", "free",
        (), "Not eligible", notes="Nothing: no fiber at the address.",
    ),
    Person(
        "大翔", "伊藤", "hiroto.ito@mail.example", "090-0000-0106",
        Address("460-0008", "愛知県", "名古屋市中区", "栄3-15-33"),
        "CN-100106", "0015g00000Sgz06AAB", "0035g00000Sgz06AAB", "free",
        ("Mobile", "Internet"), "Eligible", "Fiber 1 Gbps", "Verified", notes="May have everything.",
    ),
    Person(
        "Priya", "Nair", "priya.nair@mail.example", "090-0000-0107",
        Address("600-8216", "Kyoto", "Kyoto-shi Shimogyo-ku", "Higashi-Shiokoji 721-1"),
        "CN-100107", "0015g00000saW07AAE", "0035g00000saW07AAE",
        "free", ("Mobile",), id_verification="Verified", notes="May have mobile; Latin script.",
    ),
    Person(
        "芽依", "渡辺", "mei.watanabe@mail.example", "090-0000-0108",
        Address("810-0001", "福岡県", "福岡市中央区", "天神1-8-1"),
        "CN-100108", "0015g00000PBx08AAD", "0035g00000PBx08AAD", "free",
        ("Mobile", "Internet"), "Not checked", notes="May have everything.",
    ),
    Person(
        "Oliver", "O'Brien", "oliver.obrien@mail.example", "090-0000-0109",
        Address("980-0021", "Miyagi", "Sendai-shi Aoba-ku", "Chuo 1-1-1", "Apt. \"5\""),
        "CN-100109", "0015g00000pcY09AAE", "0035g00000pcY09AAE",
        "free", ("Mobile",), notes="Quotes in the name and the address.",
    ),
    Person(
        "湊", "髙﨑", "minato.takasaki@mail.example", "090-0000-0110",
        Address("900-0015", "沖縄県", "那覇市", "久茂地1-1-1"),
        "CN-100110", "0015g00000QDz10AAD", "0035g00000QDz10AAD", "free",
        ("Mobile",), notes="Kanji outside the older character sets.",
    ),
)  # fmt: skip

WHMCS_USERS = (
    Person(
        "美咲", "中村", "misaki.nakamura@mail.example", "090-0000-0201",
        Address("330-0846", "埼玉県", "さいたま市大宮区", "大門町2-118"),
        "CN-100201", "0015g00000PtAbQAAV", "0035g00000PtAbQAAV", "whmcs_user",
        ("Mobile",), password="whmcs-misaki-4001", whmcs_client_id=4001, whmcs_user_id=905,
        cards=(Card(61, "4242"),),
        services=(Service(7001, 6001, "MOB-ESIM-10GB", "Active", 200, 12, "07000004001"),),
        invoices=monthly_bills(9001, 4, InvoiceLine("Mobile eSIM 10 GB", 1980, 7001)),
        notes="To link: one line, four invoices.",
    ),
    Person(
        "Noah", "Berg", "noah.berg@mail.example", "090-0000-0202",
        Address("107-0062", "Tokyo", "Minato-ku", "Minami-Aoyama 5-1-2"),
        "CN-100202", "0015g00000PtaBqAAJ", "0035g00000PtaBqAAJ", "whmcs_user",
        ("Internet",), "Eligible", "Fiber 1 Gbps", password="whmcs-noah-4002",
        whmcs_client_id=4002, whmcs_user_id=907, language="english",
        services=(Service(7002, 6002, "NET-FIBER-1G", "Active", 400, 20),),
        invoices=monthly_bills(9011, 2, InvoiceLine("Fiber 1 Gbps", 4800, 7002), newest="Unpaid"),
        notes="To link: fiber, one unpaid invoice, no payment method.",
    ),
    Person(
        "拓海", "小林", "takumi.kobayashi@mail.example", "090-0000-0203",
        Address("260-0013", "千葉県", "千葉市中央区", "中央2-5-1"),
        "CN-100203", "0015g00000rgY13AAE", "0035g00000rgY13AAE", "whmcs_user",
        ("Mobile",), password="whmcs-takumi-4003", whmcs_client_id=4003, whmcs_user_id=910,
        notes="To link: nothing bought yet.",
    ),
    Person(
        "葵", "加藤", "aoi.kato@mail.example", "090-0000-0204",
        Address("650-0021", "兵庫県", "神戸市中央区", "三宮町1-9-1"),
        "CN-100204", "0015g00000Saz14AAB", "0035g00000Saz14AAB", "whmcs_user",
        ("Mobile",), password="whmcs-aoi-4004", whmcs_client_id=4004, whmcs_user_id=911, two_factor=True,
        notes="Has two factors at WHMCS: the password alone proves nothing.",
    ),
    Person(
        "Chloe", "Martin", "chloe.martin@mail.example", "090-0000-0205",
        Address("220-0012", "Kanagawa", "Yokohama-shi Nishi-ku", "Minatomirai 2-2-1"), "CN-990205", "", "",
        "whmcs_user", password="whmcs-chloe-4005", whmcs_client_id=4005, whmcs_user_id=913, language="english",
        notes="The customer number is unknown to Salesforce.",
    ),
    Person(
        "颯太", "吉田", "sota.yoshida@mail.example", "090-0000-0206",
        Address("700-0023", "岡山県", "岡山市北区", "駅前町1-8-18"), "", "", "", "whmcs_user",
        password="whmcs-sota-4006", whmcs_client_id=4006, whmcs_user_id=914,
        notes="No customer number at WHMCS.",
    ),
)  # fmt: skip

OTHERS = (
    Person(
        "凛", "山田", "rin.yamada@mail.example", "090-0000-0301",
        Address("420-0851", "静岡県", "静岡市葵区", "黒金町56"),
        "CN-100301", "0015g00000sBW15AAG", "0035g00000sBW15AAG", "other",
        ("Mobile",), portal_status="Active", password="whmcs-rin-4007", whmcs_client_id=4007, whmcs_user_id=916,
        notes="A taken number: Salesforce says portal-active, with a WHMCS client.",
    ),
    Person(
        "Mateo", "Silva", "mateo.silva@mail.example", "090-0000-0302",
        Address("", "Tokyo", "", ""), "CN-100302", "0015g00000Pcx16AAB", "0035g00000Pcx16AAB", "other", ("Mobile",),
        notes="The account holds no postal code.",
    ),
    Person(
        "悠真", "佐々木", "yuma.sasaki@mail.example", "090-0000-0303",
        Address("730-0011", "広島県", "広島市中区", "基町6-78"),
        "CN-100303", "0015g00000pDY17AAG", "0035g00000pDY17AAG", "other",
        portal_status="Closed", notes="The account is closed.",
    ),
    Person(
        "Sofia", "Rossi", "sofia.rossi@mail.example", "090-0000-0304",
        Address("150-0002", "Tokyo", "Shibuya-ku", "Shibuya 2-21-1"),
        "CN-100304", "0015g00000Qez18AAB", "0035g00000Qez18AAB", "other",
        ("Mobile",), password="whmcs-sofia-4008", whmcs_client_id=4008, whmcs_user_id=917, language="english",
        client_status="Closed", notes="The WHMCS client is closed.",
    ),
)  # fmt: skip
