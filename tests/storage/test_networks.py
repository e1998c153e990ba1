"""Source networks: what a setting may say, and who lies in them."""

from __future__ import annotations

from typing import Any

import pytest

from storage.networks import NETWORKS_LIMIT, PRIVATE, counted_as, is_loopback, networks, within


def test_networks_are_read() -> None:
    assert [str(one) for one in networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])] == [
        "10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value", [[], None, 7, "10.0.0.0/8", ["10.0.0.1/8"], ["home"], [7], ["10.0.0.0/33"], ["10.0.0.0/8"] * 65]
)
def test_what_is_none(value: Any) -> None:
    with pytest.raises(ValueError, match=r"must be a list of networks|which is not like"):
        networks(value)
    assert len(networks(["10.0.0.0/8"] * NETWORKS_LIMIT)) == NETWORKS_LIMIT


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("127.0.0.1", True), ("10.255.0.1", True), ("172.31.255.255", True), ("172.32.0.1", False),
        ("192.168.7.7", True), ("192.169.0.1", False), ("169.254.1.1", True), ("100.64.0.1", False),
        ("203.0.113.7", False), ("::1", True), ("fd12::1", True), ("fe80::1", True), ("2001:db8::1", False),
        ("::ffff:10.0.0.1", True), ("::ffff:203.0.113.7", False), ("", False), ("/run/socket", False),
        ("fe80::1%eth0", True),
    ],
)  # fmt: skip
def test_private_networks(host: str, private: bool) -> None:
    assert within(PRIVATE, host) is private


def test_loopback() -> None:
    assert is_loopback("127.0.0.7")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("10.0.0.1")


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nowhere", "nowhere"),
    ],
)
def test_what_an_address_is_counted_as(address: str, counted: str) -> None:
    assert counted_as(address) == counted
