"""Lines of business letters and forms, by what they are about: what `read_and_route` learns from, and its sample page.

Written for this package; no line of the page is among the examples.
"""

from __future__ import annotations

__all__ = ["EXAMPLES", "PAGE", "PAGE_KINDS"]

EXAMPLES: dict[str, tuple[str, ...]] = {
    "amount": (
        "Total amount due: 1,240.00 EUR",
        "Subtotal 310.50",
        "VAT 19 % 58.99",
        "Discount of 5 % on the net price",
        "Price per unit: 12.80",
        "Shipping and handling 9.90 EUR",
        "Balance carried forward 2,011.37",
        "Net 845.00 gross 1,005.55",
        "Amount paid in advance: 200 USD",
        "Late payment fee 15.00",
        "Grand total in dollars 77.20",
        "Rounding difference 0.02",
        "Tax included: 14.11 GBP",
        "Outstanding sum 640.00",
    ),
    "address": (
        "14 Harbour Street",
        "Flat 3, 220 Elm Avenue",
        "10115 Berlin, Germany",
        "P.O. Box 4471, Dublin",
        "Springfield, IL 62704",
        "Deliver to: warehouse, gate 2, Mill Road",
        "7 rue des Lilas, 69003 Lyon",
        "Second floor, North Tower, Market Square",
        "Billing address: 5 Castle Lane, York",
        "Country: Netherlands",
        "City: Porto",
        "88 Station Road, Leeds LS1 4DY",
        "Via Roma 12, 20121 Milano",
        "Head office: 1 Lake Drive, Geneva",
    ),
    "date": (
        "Date of issue: 3 March 2024",
        "Due by 30 June",
        "Delivered on Monday, 14 October",
        "Valid until the end of next month",
        "Payable within 30 days of receipt",
        "Order placed 2023-11-05",
        "Period: January to March",
        "Invoice date 12/09/2022",
        "Contract starts on 1 April 2025",
        "Last day of service: Friday",
        "Renewed every year in August",
        "Appointment at 10:30 on Tuesday",
        "Expires 31.12.2026",
        "Week 42, Thursday afternoon",
    ),
    "reference": (
        "Invoice number: INV-20417",
        "Customer no. 88123",
        "Our reference: KX/5521-B",
        "Order ID 7740-332",
        "Serial number SN 00981243",
        "Tracking code 1Z999AA10123",
        "Article 40-118-C",
        "Contract no. C-2291",
        "Account: DE44 5001 0517 5407",
        "Your reference 19-A-77",
        "Ticket #30418",
        "Part no. 6204-2RS",
        "Registration HRB 118293",
        "Batch code L2207-09",
    ),
}
"""Kind -> examples of it."""

_PAGE = (
    ("reference", "Invoice no. INV-73305"),
    ("reference", "Your order number: 4417-908"),
    ("reference", "Customer account 55210"),
    ("date", "Invoice date: 17 May 2025"),
    ("date", "Delivery on Wednesday, 21 May"),
    ("address", "Northwind Traders, 31 Orchard Road"),
    ("address", "4051 Basel, Switzerland"),
    ("address", "Ship to: 9 Quay Street, Bristol BS1 6QA"),
    ("reference", "Article code 77-204-K"),
    ("amount", "Unit price 24.50 CHF"),
    ("amount", "Net amount 588.00"),
    ("amount", "Discount 3 % 17.64"),
    ("amount", "VAT 8.1 % 46.20"),
    ("amount", "Total to be paid: 616.56 CHF"),
    ("date", "Please pay before 16 June 2025"),
    ("reference", "Bank account CH93 0076 2011"),
)

PAGE = tuple(text for _, text in _PAGE)
"""The lines of an invoice, from top to bottom."""

PAGE_KINDS = tuple(kind for kind, _ in _PAGE)
"""What each of them is about, as a person sees it."""
