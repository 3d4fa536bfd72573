"""What the browser is told to refuse, and that no template needs what it refuses."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import web
from tests.web.company import Home
from tests.web.reading import Page, get
from web.records import outside

TEMPLATES = sorted((Path(web.__file__).parent / "templates").rglob("*.html"))
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("address", ["/signals", "/rules", "/data", "/nope", "/signals/SIG-1"])
def test_every_page_has_the_strict_policy(client: FlaskClient, address: str) -> None:
    headers = client.get(address).headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert re.fullmatch(r"[0-9a-f]{12}", headers["X-Request-ID"])


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_inline_styles_scripts_or_handlers(template: Path) -> None:
    source = template.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle\s*=", source), "style attributes are refused by the policy"
    assert not re.search(r"<style", source)
    assert not re.search(r"\son[a-z]+\s*=", source), "handlers are refused by the policy"
    assert not re.search(r"hx-on|javascript:|hx-vals=.js", source), "this needs eval"
    assert not re.search(r"<script(?![^>]*\ssrc=)", source)
    assert not re.search(r"\|\s*safe", source), "text of records must be escaped"


def test_no_page_has_what_the_policy_refuses(client: FlaskClient, hostile_company: Home) -> None:
    hostile = hostile_company.app().test_client()
    for browser, address in (
        (client, "/signals"),
        (client, "/signals/SIG-1"),
        (hostile, "/signals"),
        (hostile, "/signals/SIG-1"),
    ):
        for tag, attributes in Page(get(browser, address)).elements:
            assert "style" not in attributes
            assert not [name for name in attributes if name.startswith("on")]
            assert tag != "script" or attributes["src"].startswith("/static/")


def test_cookies_stay_with_the_console(client: FlaskClient) -> None:
    cookies = client.get("/signals").headers.getlist("Set-Cookie")
    assert cookies
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)


def test_over_https_cookies_are_for_https_only(empty_company: Home) -> None:
    client = empty_company.app(https=True).test_client()
    answer = client.get("/signals", base_url="https://trueup.example")
    assert all("Secure" in cookie for cookie in answer.headers.getlist("Set-Cookie"))
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_static_files_are_kept_for_ever_under_the_name_of_their_content(client: FlaskClient) -> None:
    links = [link["href"] for link in Page(get(client, "/signals")).all("link", rel="stylesheet")]
    answer = client.get(links[0], headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" not in answer.headers, "a stylesheet is no document"
    assert client.get("/static/console.0000000000.css").status_code == 404
    assert client.get("/static/../app.py").status_code == 404


def test_a_link_of_a_record_out_of_the_console_is_an_address_of_the_web() -> None:
    assert outside("https://dashboard.example/in_1") == "https://dashboard.example/in_1"
    assert outside("javascript:alert(1)") is None
    assert outside("data:text/html,x") is None
    assert outside(None) is None
