"""What the settings say of SIP reaches Asterisk's files, as `ivr asterisk render` writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from ivr.cli import app
from ivr.provision.render import ProvisionError
from tests.plan.folders import write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plan").mkdir()
    monkeypatch.setenv("IVR_PLAN", str(write(tmp_path / "plan")))
    monkeypatch.setenv("IVR_STATE_DIR", str(tmp_path))
    return tmp_path / "etc"


def rendered(etc: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> str:
    for name, value in settings.items():
        monkeypatch.setenv(f"IVR_{name.upper()}", value)
    result = CliRunner().invoke(app, ["asterisk", "render", "--out", str(etc)])
    if result.exception is not None:
        raise result.exception
    return (etc / "pjsip.conf").read_text(encoding="utf-8")


def test_all_is_off_where_nothing_is_set(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = rendered(etc, monkeypatch)
    assert "protocol = tls" not in text
    assert "type = registration" not in text
    assert "media_encryption = no\n" in text


def test_tls_and_srtp(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = "/etc/ssl/mairie.pem", "/etc/ssl/mairie.key"
    text = rendered(etc, monkeypatch, sip_bind="192.0.2.1:5060", tls_cert=cert, tls_key=key, agent_media="srtp")
    assert f"bind = 192.0.2.1:5061\nmethod = tlsv1_2\ncert_file = {cert}\npriv_key_file = {key}\n" in text
    assert "media_encryption = sdes\n" in text
    assert "bind = 192.0.2.1:5062\n" in rendered(etc, monkeypatch, tls_port="5062")
    with pytest.raises(ProvisionError, match="tls private key"):
        rendered(etc, monkeypatch, tls_key="")


def test_our_registration_with_the_operator(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = rendered(
        etc,
        monkeypatch,
        trunk_register="sip:operator.example",
        trunk_register_user="mairie",
        trunk_register_password="hunter22",
    )
    assert "server_uri = sip:operator.example\nclient_uri = sip:mairie@operator.example\n" in text
    assert "username = mairie\npassword = hunter22\n" in text
    assert "res_pjsip_outbound_registration.so" in (etc / "modules.conf").read_text(encoding="utf-8")
    assert "client_uri = sip:0536490000@ims.example\n" in rendered(
        etc, monkeypatch, trunk_register_as="sip:0536490000@ims.example"
    )
    with pytest.raises(ProvisionError, match="password") as refused:
        rendered(etc, monkeypatch, trunk_register_password="hun ter")
    assert "hun ter" not in str(refused.value)
