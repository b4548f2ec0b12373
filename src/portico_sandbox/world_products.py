"""The products of the world: one pricebook at Salesforce, one product list at WHMCS, prices net in JPY."""

from __future__ import annotations

from portico_sandbox.world_types import Product

_MOBILE_PLANS = (
    Product(
        "MOB-ESIM-3GB", "Mobile eSIM 3 GB", "3 GB a month with voice, on an eSIM.", "Mobile", "Service", "Monthly",
        980, "01t5g00000PrD01AAF", "01u5g00000eNt01AAC", 31, 10, sim_kind="eSIM", freebit_plan_code="PTC_V_3G",
        requires_sku="MOB-ACT-ESIM", eligibility=("Mobile",),
    ),
    Product(
        "MOB-ESIM-10GB", "Mobile eSIM 10 GB", "10 GB a month with voice, on an eSIM.", "Mobile", "Service", "Monthly",
        1980, "01t5g00000PrD02AAF", "01u5g00000eNt02AAC", 32, 20, sim_kind="eSIM", freebit_plan_code="PTC_V_10G",
        requires_sku="MOB-ACT-ESIM", eligibility=("Mobile",),
    ),
    Product(
        "MOB-ESIM-30GB", "Mobile eSIM 30 GB", "30 GB a month with voice, on an eSIM.", "Mobile", "Service", "Monthly",
        2980, "01t5g00000PrD03AAF", "01u5g00000eNt03AAC", 33, 30, sim_kind="eSIM", freebit_plan_code="PTC_V_30G",
        requires_sku="MOB-ACT-ESIM", eligibility=("Mobile",), promotion="Router gift until the end of the season",
    ),
    Product(
        "MOB-ESIM-DATA", "Mobile eSIM data 1 GB", "1 GB a month, data only, on an eSIM.", "Mobile", "Service",
        "Monthly",
        480, "01t5g00000PrD04AAF", "01u5g00000eNt04AAC", 34, 40, sim_kind="eSIM", freebit_plan_code="PTC_D_1G",
        requires_sku="MOB-ACT-ESIM", eligibility=("Mobile",), available=False,
    ),
    Product(
        "MOB-SIM-10GB", "Mobile SIM card 10 GB", "10 GB a month with voice, on a card that we post to you.",
        "Mobile", "Service", "Monthly", 1980, "01t5g00000PrD05AAF", "01u5g00000eNt05AAC", 35, 50, sim_kind="Physical",
        freebit_plan_code="PTC_V_10G", requires_sku="MOB-ACT-SIM", eligibility=("Mobile",),
    ),
)  # fmt: skip

_MOBILE_EXTRAS = (
    Product(
        "MOB-ACT-ESIM", "eSIM activation fee", "Charged once for each new eSIM.", "Mobile", "Activation", "One time",
        3000, "01t5g00000PrD06AAF", "01u5g00000eNt06AAC", 36, 60, eligibility=("Mobile",),
    ),
    Product(
        "MOB-ACT-SIM", "SIM card activation fee", "Charged once for each new SIM card, postage included.",
        "Mobile", "Activation", "One time", 3400,
        "01t5g00000PrD07AAF", "01u5g00000eNt07AAC", 37, 70, eligibility=("Mobile",),
    ),
    Product(
        "MOB-CALL-5MIN", "Calls of 5 minutes free", "Any number of domestic calls of up to 5 minutes.",
        "Mobile", "Add-on", "Monthly", 500, "01t5g00000PrD08AAF", "01u5g00000eNt08AAC", 38, 80,
        excludes_sku="MOB-CALL-ALL", eligibility=("Mobile",),
    ),
    Product(
        "MOB-CALL-ALL", "All calls free", "Any number of domestic calls of any length.",
        "Mobile", "Add-on", "Monthly", 1400, "01t5g00000PrD09AAF", "01u5g00000eNt09AAC", 39, 90,
        excludes_sku="MOB-CALL-5MIN", eligibility=("Mobile",),
    ),
    Product(
        "MOB-DATA-5GB", "5 GB of extra data", "Added to the line once, good for 90 days.",
        "Mobile", "Add-on", "One time", 2500,
        "01t5g00000PrD10AAF", "01u5g00000eNt10AAC", 40, 100, eligibility=("Mobile",),
    ),
)  # fmt: skip

_INTERNET = (
    Product(
        "NET-FIBER-1G", "Fiber 1 Gbps", "Fiber to your home, up to 1 Gbps both ways.", "Internet", "Service",
        "Monthly",
        4800, "01t5g00000PrD11AAF", "01u5g00000eNt11AAC", 41, 210, requires_sku="NET-INST-STD",
        excludes_sku="NET-FIBER-10G", eligibility=("Internet",),
    ),
    Product(
        "NET-FIBER-10G", "Fiber 10 Gbps", "Fiber to your home, up to 10 Gbps both ways.",
        "Internet", "Service", "Monthly", 6200,
        "01t5g00000PrD12AAF", "01u5g00000eNt12AAC", 42, 220, requires_sku="NET-INST-STD",
        excludes_sku="NET-FIBER-1G", eligibility=("Internet",), promotion="First three months at half price",
    ),
    Product(
        "NET-INST-STD", "Fiber installation", "A technician comes once and leaves a working line.",
        "Internet", "Installation", "One time", 20000,
        "01t5g00000PrD13AAF", "01u5g00000eNt13AAC", 43, 230, eligibility=("Internet",),
    ),
    Product(
        "NET-INST-WEEKEND", "Installation on a weekend", "Comes on top of the installation.",
        "Internet", "Installation", "One time", 3000, "01t5g00000PrD14AAF", "01u5g00000eNt14AAC", 44, 240,
        requires_sku="NET-INST-STD", eligibility=("Internet",),
    ),
    Product(
        "NET-ROUTER", "Router for rent", "Wi-Fi 7 router, exchanged when it breaks.", "Internet", "Add-on", "Monthly",
        500, "01t5g00000PrD15AAF", "01u5g00000eNt15AAC", 45, 250, eligibility=("Internet",),
    ),
    Product(
        "NET-FIXED-IP", "Fixed IPv4 address", "Ask our staff: they check whether your line can have one.",
        "Internet", "Add-on", "Monthly", 800,
        "01t5g00000PrD16AAF", "01u5g00000eNt16AAC", 46, 260, eligibility=("Internet",), orderable=False,
    ),
    Product(
        "NET-ADSL", "ADSL 12 Mbps", "No longer sold.", "Internet", "Service", "Monthly",
        2400, "01t5g00000PrD17AAF", "01u5g00000eNt17AAC", 47, 270, eligibility=("Internet",), is_active=False,
    ),
)  # fmt: skip

_VPN_AND_OTHER = (
    Product(
        "VPN-HOME", "VPN Home", "One address in Japan for up to five devices.", "VPN", "Service", "Monthly",
        500, "01t5g00000PrD18AAF", "01u5g00000eNt18AAC", 48, 310, excludes_sku="VPN-TEAM",
    ),
    Product(
        "VPN-TEAM", "VPN Team", "A fixed address and accounts for up to twenty people.", "VPN", "Service", "Monthly",
        1500, "01t5g00000PrD19AAF", "01u5g00000eNt19AAC", 49, 320, excludes_sku="VPN-HOME",
    ),
    Product(
        "VPN-ROUTER", "VPN router", "Set up by us, yours to keep.", "VPN", "Add-on", "One time",
        12000, "01t5g00000PrD20AAF", "01u5g00000eNt20AAC", 50, 330,
    ),
    Product(
        "OTH-SUPPORT", "Help at home", "One visit of up to an hour by a technician.", "Other", "Service", "One time",
        5000, "01t5g00000PrD21AAF", "01u5g00000eNt21AAC", 51, 410,
    ),
    Product(
        "OTH-MAIL", "Mail box 10 GB", "An address at our domain, readable everywhere.", "Other", "Service", "Monthly",
        300, "01t5g00000PrD22AAF", "01u5g00000eNt22AAC", 52, 420,
    ),
    Product(
        "OTH-STAFF-LINE", "Staff test line", "For our own staff; never shown in the portal.",
        "Other", "Service", "Monthly", 0, "01t5g00000PrD23AAF", "01u5g00000eNt23AAC", 53, 430, portal_visible=False,
    ),
)  # fmt: skip

PRODUCTS = _MOBILE_PLANS + _MOBILE_EXTRAS + _INTERNET + _VPN_AND_OTHER
