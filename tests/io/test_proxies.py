"""Which proxy stands between us and a host, by the variables that other programs read; never its password."""

import traceback

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from migrator.domain.errors import UsageError
from migrator.io.proxies import proxy_for

IMS = "https://ims.cn-north-4.myhuaweicloud.com"
P, Q = "http://proxy.example:3128", "http://other.example:8080"


def chosen(url: str, **environ: str) -> str | None:
    found = proxy_for(URL(url), environ)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"HTTPS_PROXY": P}, P, id="large letters"),
        pytest.param({"https_proxy": P}, P, id="small letters"),
        pytest.param({"https_proxy": P, "HTTPS_PROXY": Q}, P, id="small letters win"),
        pytest.param({"https_proxy": "", "HTTPS_PROXY": Q}, None, id="set to nothing in small letters"),
        pytest.param({"HTTPS_PROXY": ""}, None, id="set to nothing"),
        pytest.param({"HTTPS_PROXY": f" {P}\n"}, P, id="a line break behind it"),
        pytest.param({"ALL_PROXY": P}, P, id="for all"),
        pytest.param({"all_proxy": P}, P, id="for all in small letters"),
        pytest.param({"ALL_PROXY": P, "HTTPS_PROXY": Q}, Q, id="the one for https before the one for all"),
        pytest.param({"ALL_PROXY": P, "HTTPS_PROXY": ""}, P, id="for all where the other is set to nothing"),
        pytest.param(
            {"ALL_PROXY": "socks5://h:1", "HTTPS_PROXY": P}, P, id="a SOCKS proxy that is not needed"
        ),
        pytest.param({"HTTP_PROXY": P, "http_proxy": P, "FTP_PROXY": P}, None, id="for something else"),
        pytest.param({"HTTPS_PROXY": "proxy.example:3128"}, P, id="without http:// before it"),
        pytest.param({"HTTPS_PROXY": f"{P}/"}, f"{P}/", id="a slash behind it"),
        pytest.param({"HTTPS_PROXY": "https://p.example"}, "https://p.example", id="spoken to through TLS"),
        pytest.param({"HTTPS_PROXY": "http://[::1]:3128"}, "http://[::1]:3128", id="on this machine"),
        pytest.param({"HTTPS_PROXY": P, "NO_PROXY": "*"}, None, id="nobody through it"),
        pytest.param({"HTTPS_PROXY": P, "no_proxy": "", "NO_PROXY": "*"}, P, id="no_proxy set to nothing"),
        pytest.param({"HTTPS_PROXY": "nonsense://", "NO_PROXY": "*"}, None, id="nonsense that nobody needs"),
    ],
)
def test_the_variables_name_the_proxy(environ, expected):
    assert chosen(IMS, **environ) == expected


@pytest.mark.parametrize(
    ("no_proxy", "url", "spared"),
    [
        pytest.param("ims.cn-north-4.myhuaweicloud.com", IMS, True, id="host"),
        pytest.param("IMS.CN-north-4.myHuaweiCloud.com", IMS, True, id="host in large letters"),
        pytest.param("myhuaweicloud.com", IMS, True, id="domain"),
        pytest.param(".myhuaweicloud.com", IMS, True, id="domain with a dot"),
        pytest.param("*.myhuaweicloud.com", IMS, True, id="domain with an asterisk"),
        pytest.param(".myhuaweicloud.com", "https://myhuaweicloud.com", True, id="the domain itself"),
        pytest.param("huaweicloud.com", IMS, False, id="end of a name, but no domain"),
        pytest.param("cn-north-4", IMS, False, id="middle of a name"),
        pytest.param("myhuaweicloud.com", "https://myhuaweicloud.com.evil.example", False, id="beginning"),
        pytest.param("myhuaweicloud.com", f"{IMS}./", True, id="a dot at the end of the host"),
        pytest.param("obs.example", "https://bucket.obs.example", True, id="a bucket's host"),
        pytest.param("a.example, myhuaweicloud.com ,b.example", IMS, True, id="list"),
        pytest.param("a.example myhuaweicloud.com", IMS, True, id="list with spaces"),
        pytest.param("a.example,b.example", IMS, False, id="others"),
        pytest.param("a.example,*", IMS, True, id="an asterisk among others"),
        pytest.param(",, ,", IMS, False, id="a list of nothing"),
        pytest.param("myhuaweicloud.com:443", IMS, True, id="the port that https has"),
        pytest.param("myhuaweicloud.com:8443", IMS, False, id="another port"),
        pytest.param("myhuaweicloud.com:8443", f"{IMS}:8443", True, id="a port"),
        pytest.param("myhuaweicloud.com", f"{IMS}:8443", True, id="any port"),
        pytest.param("10.0.0.0/8", "https://10.1.2.3", True, id="network"),
        pytest.param("10.1.2.3/8", "https://10.9.9.9:8443", True, id="network by one of its addresses"),
        pytest.param("10.0.0.0/8", "https://11.1.2.3", False, id="outside of the network"),
        pytest.param("10.0.0.0/8", "https://10.example.com", False, id="a name like an address"),
        pytest.param("fd00::/8", "https://[fd12::1]", True, id="network of IPv6"),
        pytest.param("fd00::/8,10.0.0.0/8", "https://[fe80::1]", False, id="outside of both"),
        pytest.param("10.1.2.3", "https://10.1.2.3", True, id="address"),
        pytest.param("2.3", "https://10.1.2.3", False, id="end of an address"),
        pytest.param("10.1.2.3:8443", "https://10.1.2.3:8443", True, id="address and port"),
        pytest.param("10.1.2.3:8443", "https://10.1.2.3", False, id="address and another port"),
        pytest.param("fd00::1", "https://[fd00:0::1]", True, id="address of IPv6"),
        pytest.param("[fd00::1]", "https://[fd00::1]", True, id="address in brackets"),
        pytest.param("[fd00::1]:8443", "https://[fd00::1]:8443", True, id="address in brackets and port"),
        pytest.param("[fd00::1]:8443", "https://[fd00::1]", False, id="address in brackets, another port"),
        pytest.param("10.0.0.0/99,/,[,:", "https://10.1.2.3", False, id="what means nothing"),
    ],
)
def test_no_proxy_names_what_is_reached_without(no_proxy, url, spared):
    for name in ("NO_PROXY", "no_proxy"):
        for proxy in ("HTTPS_PROXY", "all_proxy"):
            assert chosen(url, **{proxy: P, name: no_proxy}) == (None if spared else P)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "https://127.0.0.1:8443",
            "https://127.9.9.9",
            "https://[::1]:1",
            "https://localhost",
            "https://LOCALHOST.",
        ),
        *("https://bucket.localhost", "http://127.0.0.1:8080", "http://169.254.169.254"),
    ],
)
def test_this_machine_and_what_only_it_can_reach_is_reached_without(url):
    assert chosen(url, HTTPS_PROXY=P, HTTP_PROXY=P, ALL_PROXY=P) is None


SECRET = "kX9fQ2Lm7Rt4"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "value",
    [
        f"socks5://someone:{SECRET}@proxy.example:1080",
        f"SOCKS5H://someone:{SECRET}@proxy.example",
        f"ftp://someone:{SECRET}@proxy.example",
        f"http://someone:{SECRET}@",
        f"http://someone:{SECRET}@:3128",
        f"http://someone:{SECRET}@proxy.example:port",
        f"http://someone:{SECRET}@proxy.example:99999",
        f"http://someone:{SECRET}@proxy.example:0",
        f"http://someone:{SECRET}@[::",
        f"http://someone:a/{SECRET}@proxy.example:3128",
        f"http://someone:12/{SECRET}@proxy.example:3128",
        f"http://12/{SECRET}@proxy.example:3128",
        f"http://someone:12#{SECRET}@proxy.example:3128",
        f"http://someone:12?{SECRET}@proxy.example:3128",
        f"http://{SECRET}:{SECRET}",
        f"http://some one:{SECRET}\n@proxy.example:3128",
        f"//someone:{SECRET}@proxy.example",
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable_and_its_password_by_nothing(name, value):
    with pytest.raises(UsageError) as caught:
        proxy_for(URL(IMS), {name: value})

    error = caught.value
    assert error.exit_code == 2
    assert name in str(error)
    assert name in error.hint
    assert SECRET not in "".join([*traceback.format_exception(error), str(error), error.hint])


def test_a_socks_proxy_is_told_from_nonsense():
    with pytest.raises(
        UsageError, match="ALL_PROXY names a proxy that speaks SOCKS5H, and only HTTP proxies"
    ):
        proxy_for(URL(IMS), {"ALL_PROXY": "socks5h://proxy.example:1080"})


TEXTS = st.text(st.sampled_from("ab.:/@#?[]%*,-0123456789 \n\\é"), max_size=24)


@given(TEXTS | st.text(), TEXTS | st.text())
@example("http://u:\ud800@h:1", "\ud800")
@example(proxy="[]@", no_proxy="")
def test_whatever_the_variables_hold_there_is_an_answer_or_a_clear_error(proxy, no_proxy):
    said: list[str] = []
    for value in (proxy, f"http://someone:{proxy}{SECRET}@proxy.example:3128"):
        try:
            proxy_for(URL(IMS), {"HTTPS_PROXY": value, "NO_PROXY": no_proxy})
        except UsageError as error:
            said.append(f"{error} {error.hint}")
    assert all("HTTPS_PROXY" in text and SECRET not in text for text in said)
