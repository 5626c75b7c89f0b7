"""The official Python SDK against an https endpoint whose certificate a private authority signed."""

from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ConnectionException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkvpn import v5

from lab import authority


@pytest.fixture
def secure(tmp_path: Path, start_server: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, authority.Authority]:
    signer = authority.Authority(tmp_path)
    pair = signer.issue("server")
    with monkeypatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(signer.path))  # for who waits until the server is ready
        server = start_server("data", "--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
    return server, signer


def _client(server: Any, settings: HttpConfig) -> v5.VpnClient:
    words = server.credentials
    credentials = BasicCredentials(words["access_key"], words["secret_key"], words["project_id"])
    builder = v5.VpnClient.new_builder().with_credentials(credentials).with_endpoint(words["endpoint"])
    return builder.with_http_config(settings).build()


def test_the_sdk_works_when_it_is_told_the_authority(secure: Any):
    server, signer = secure
    settings = HttpConfig.get_default_config()
    settings.ssl_ca_cert = str(signer.path)
    client = _client(server, settings)
    content = v5.CreateCgwRequestBodyContent(id_value="198.51.100.7")
    made = client.create_cgw(v5.CreateCgwRequest(body=v5.CreateCgwRequestBody(customer_gateway=content)))
    listed = client.list_cgws(v5.ListCgwsRequest()).customer_gateways
    assert [one.id for one in listed] == [made.customer_gateway.id]


def test_the_sdk_refuses_an_authority_that_it_does_not_know(secure: Any):
    server, _ = secure
    settings = HttpConfig.get_default_config()
    settings.retry_times = 0
    with pytest.raises(ConnectionException):
        _client(server, settings).list_cgws(v5.ListCgwsRequest())
