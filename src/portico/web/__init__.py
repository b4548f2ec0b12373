"""Pages: rendering, forms, cross-site protection, security headers, errors as pages. Reads `request.user`."""

from portico.web.csrf import origin_of
from portico.web.failures import answer_failure, problem
from portico.web.forms import Form, read_form
from portico.web.gate import RoutesUndeclared, check_routes, gate
from portico.web.json_bodies import read_json
from portico.web.pages import Page, language, render, request_id, show_cart_count
from portico.web.paging import Paging, page_number, paging
from portico.web.parts import seal, web_parts
from portico.web.redirects import hand_off, own_path, redirect

__all__ = [
    "Form",
    "Page",
    "Paging",
    "RoutesUndeclared",
    "answer_failure",
    "check_routes",
    "gate",
    "hand_off",
    "language",
    "origin_of",
    "own_path",
    "page_number",
    "paging",
    "problem",
    "read_form",
    "read_json",
    "redirect",
    "render",
    "request_id",
    "seal",
    "show_cart_count",
    "web_parts",
]
