"""How the API says no."""

from __future__ import annotations

from typing import Any

import httpx2


def problem_of(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, once it has been looked over; the test fails where it is another one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document: dict[str, Any] = answer.json()
    assert document["code"] == code, document
    assert (document["status"], document["type"]) == (status, f"urn:portico:problem:{code}")
    assert document["title"] and document["detail"].endswith(".")
    assert document["trace_id"] == answer.headers["x-request-id"]
    assert ("retry_after" in document) == ("retry-after" in answer.headers)
    return document


def pointers(document: dict[str, Any]) -> set[str]:
    assert all(fault["detail"] for fault in document["errors"])
    return {fault["pointer"] for fault in document["errors"]}
