"""Settings files: what is read, what is refused, and on which line the fault is found."""

from __future__ import annotations

import re
from functools import reduce
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from storage.config import (
    FILE_LIMIT,
    PROJECT,
    Certificate,
    ConfigError,
    Listener,
    SecureListener,
    Settings,
    defaults,
    known,
    read,
)
from tracker.catalogue import PORTS

EXAMPLE = PROJECT / "city.toml.example"
TRACKERS = {**PORTS, "tk": 7700}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "city.toml"


def parse(file: Path, text: str) -> Settings:
    file.write_text(text, encoding="utf-8")
    return read(file, TRACKERS)


def value_of(settings: Settings, name: str) -> Any:
    """``trackers.tk.port`` and the like."""

    def step(value: Any, key: str) -> Any:
        return value[key] if isinstance(value, dict) else getattr(value, key)

    return reduce(step, name.split("."), settings)


def problems(file: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(file, text)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_the_defaults_are_the_demo_on_loopback() -> None:
    settings = defaults(TRACKERS)
    assert settings.demo
    assert settings.data.is_absolute()
    assert settings.redis_url is None
    assert settings.city.zone == "Asia/Shanghai"
    assert [settings.console, settings.field, settings.handheld, settings.phones] == [
        SecureListener("127.0.0.1", port) for port in (8080, 8081, 6900, 5055)
    ]
    assert settings.jt808 == Listener("127.0.0.1", 6808)
    assert settings.tls == Certificate(None, None)


def test_an_empty_file_is_a_real_city_with_the_same_values(file: Path) -> None:
    settings = parse(file, "")
    assert not settings.demo
    assert settings.data == file.parent / "data"
    assert settings.limits == defaults(TRACKERS).limits
    assert settings.console == defaults(TRACKERS).console


def test_a_file_may_ask_for_the_demo(file: Path) -> None:
    settings = parse(file, "[server]\ndemo = true\n")
    assert settings.demo
    assert settings.data == file.parent / "data"


def test_no_real_city_shares_the_folder_of_the_demo() -> None:
    assert defaults(TRACKERS).data != PROJECT / "data"


def test_everything_is_read(file: Path) -> None:
    settings = parse(
        file,
        """
        [server]
        bind = "0.0.0.0"
        data = "/srv/gridbeat"
        [redis]
        url = "redis://:word@10.0.0.2:6379/1"
        [city]
        name = "栖桥"
        zone = "Asia/Urumqi"
        center = [43, 87.5]
        [console]
        bind = "10.0.0.1"
        port = 80
        origins = ["https://Map.example", "http://10.0.0.9:8080"]
        tls = false
        [jt808]
        port = 0
        networks = ["10.8.0.0/16", "2001:db8::/32"]
        [tls]
        certificate = "here/chain.pem"
        [field]
        bind = "::1"
        [presence]
        online_s = 60
        [limits]
        idle_s = 30
        """,
    )
    assert settings.data == Path("/srv/gridbeat")
    assert settings.redis_url == "redis://:word@10.0.0.2:6379/1"
    assert (settings.city.name, settings.city.zone, settings.city.center) == ("栖桥", "Asia/Urumqi", (43.0, 87.5))
    assert settings.console == SecureListener("10.0.0.1", 80, tls=False)
    assert settings.origins == ("https://map.example", "http://10.0.0.9:8080")
    assert settings.jt808 == Listener("0.0.0.0", 0, (ip_network("10.8.0.0/16"), ip_network("2001:db8::/32")))
    assert settings.field == SecureListener("::1", 8081)
    chain = file.parent / "here" / "chain.pem"
    assert settings.tls == Certificate(chain, chain), "the key is in the same file"
    assert (settings.presence.online_s, settings.presence.offline_s) == (60, 900)
    assert settings.limits.idle_s == 30


def test_the_data_folder_is_beside_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[server]\ndata = "../kept here"\n')
    monkeypatch.chdir(file.parent.parent)
    settings = read(Path(file.parent.name) / file.name, TRACKERS)
    assert settings.data.resolve() == file.parent.parent / "kept here"
    assert parse(file, '[server]\ndata = "~/kept"').data == Path.home() / "kept"


def test_windows_editors_are_forgiven(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbf[city]\r\nname = "A"\r\n')
    assert read(file, TRACKERS).city.name == "A"


@pytest.mark.parametrize(
    ("section", "line", "told"),
    [
        ("jt808", "networks = []", 'networks must be a list of networks such as ["10.0.0.0/8"]'),
        ("jt808", 'networks = "10.0.0.0/8"', "networks must be a list of networks"),
        ("field", 'networks = ["10.0.0.1/8"]', "networks holds '10.0.0.1/8', which is not like"),
        ("field", 'networks = ["home", 7]', "networks holds 'home', which is not like"),
        ("phones", "tls = 1", "tls must be true or false"),
        ("tls", 'certificate = "here/"', "certificate must be a file in quotes"),
        ("tls", 'key = "key.pem"', "key needs the certificate that it is the key of"),
        ("jt808", "tls = true", "tls is not a setting"),
        ("jt808", "port = 70000", "port must be 1..65535, not 70000"),
        ("jt808", "port = -1", "port must be 1..65535, not -1"),
        ("jt808", "port = true", "port must be 1..65535, not true"),
        ("jt808", 'port = "6808"', 'port must be 1..65535, not "6808"'),
        ("phones", "port = 5055.0", "port must be 1..65535, not 5055.0"),
        ("field", 'bind = "localhost"', "bind must be an IP address such as "),
        ("server", "bind = 0", "bind must be an IP address such as "),
        ("server", "demo = 1", "demo must be true or false, not 1"),
        ("server", 'data = ""', 'data must be a folder in quotes, not ""'),
        ("server", 'data = "~nobody-of-this-name/x"', "data names a home that does not exist: "),
        ("city", 'name = " "', 'name must be one line of text in quotes, not " "'),
        ("city", 'name = "a\\nb"', "name must be one line of text"),
        ("city", "name = 2024-01-01", 'name must be one line of text in quotes, not "2024-01-01"'),
        ("city", 'zone = "Asia"', "zone must be the name of a time zone"),
        ("city", 'zone = "../../etc/passwd"', "zone must be the name of a time zone"),
        ("city", 'zone = "Asia/Shangai"', 'zone must be the name of a time zone such as "Asia/Shanghai", not '),
        ("city", "zone = 8", "zone must be the name of a time zone"),
        ("city", "center = [121.5, 31.2]", "center must be [latitude, longitude] in degrees, not [121.5, 31.2]"),
        ("city", "center = [31.2]", "center must be [latitude, longitude]"),
        ("city", "center = [nan, 1]", "center must be [latitude, longitude]"),
        ("city", 'center = "31.2,121.5"', "center must be [latitude, longitude]"),
        ("redis", 'url = "10.0.0.2:6379"', "url must be redis://host:port"),
        ("redis", 'url = "redis://[::1"', "url must be redis://host:port"),
        ("redis", 'url = "redis://h:seven"', "url must be redis://host:port"),
        ("console", 'origins = "https://a"', "origins must be a list"),
        ("console", 'origins = ["https://a/"]', 'origins holds "https://a/", which is not like'),
        ("console", "origins = [1]", "origins holds 1, which is not like"),
        ("presence", "online_s = 900", "offline_s must be more than online_s (900), not 900"),
        ("presence", "offline_s = 60", "offline_s must be more than online_s (120), not 60"),
        ("limits", "connections = 0", "connections must be 1..1000000, not 0"),
        ("archive", "fixes_days = 7", "fixes_days must be 8..36500, not 7"),
        ("archive", "photos_mb = -1", "photos_mb must be 0..1000000000, not -1"),
        ("archive", "snapshots_days = 9", "snapshots_days is not a setting; did you mean photos_days?"),
        ("limits", "login_s = 601", "login_s must be 1..600, not 601"),
        ("limits", 'idle_s = "' + "x" * 500 + '"', 'idle_s must be 5..86400, not "xxx'),
        ("limits", "idle = 30", "idle is not a setting; did you mean idle_s?"),
        ("jt808", "Port = 1", "Port is not a setting; did you mean port?"),
        ("redis", "password = 1", "password is not a setting; there are url"),
        ("jt808", "port.tcp = 1", 'port must be 1..65535, not {"tcp": 1}'),
    ],
)
def test_each_fault_is_told_with_its_line(file: Path, section: str, line: str, told: str) -> None:
    found = problems(file, f"# a comment\n\n[{section}]\n# another\n{line}\n")
    assert len(found) == 1
    assert found[0].startswith(f"city.toml:5: [{section}] {told}")
    assert len(found[0]) < 200


@pytest.mark.parametrize(
    "value",
    ["https://watch.example", "https://watch.example:8443/a/b?c=d", "http://127.0.0.1:9000/x", "http://[::1]/",
     "http://localhost"],
)  # fmt: skip
def test_heads_go_to_an_address_over_tls_or_on_this_machine(file: Path, value: str) -> None:
    assert parse(file, f'[archive]\nhead_url = "{value}"\n').heads.url == value
    assert parse(file, "").heads.url is None


@pytest.mark.parametrize(
    "value",
    ["http://watch.example/hush", "https://", "https:///hush", "https://watch.example:0/hush",
     "https://watch.example:99999/hush", "https://[x/hush", "ftp://127.0.0.1/hush", "https://a b/hush",
     "https://市.example/hush", "https://a:hush@watch.example", ""],
)  # fmt: skip
def test_what_is_no_address_for_heads_is_refused_and_not_told(file: Path, value: str) -> None:
    (told,) = problems(file, f'[archive]\nhead_url = "{value}"\n')
    assert told.startswith("city.toml:2: [archive] head_url must ")
    assert "hush" not in told


def test_the_file_for_heads_is_beside_the_settings(file: Path) -> None:
    assert parse(file, '[archive]\nhead_file = "heads.jsonl"\n').heads.file == file.parent / "heads.jsonl"
    assert parse(file, '[archive]\nhead_file = "/mnt/usb/h"\n').heads.file == Path("/mnt/usb/h")
    assert parse(file, "").heads.file is None
    for value in ("5", '""', '"/mnt/usb/"', '"/"'):
        assert "head_file must be a f" in problems(file, f"[archive]\nhead_file = {value}\n")[0]


def test_a_password_is_not_told(file: Path) -> None:
    assert "secret" not in problems(file, '[redis]\nurl = "http://:secret@host"\n')[0]


def test_all_faults_are_told_at_once_in_the_order_of_the_file(file: Path) -> None:
    found = problems(file, "[limits]\nidle_s = 1\nfoo = 1\n[jt80]\nport = 1\n[redis]\nurl = 7\n[nothing_like_it]\n")
    assert [one.split(" ")[0] for one in found] == [f"city.toml:{line}:" for line in (2, 3, 4, 7, 8)]
    assert found[2] == "city.toml:4: [jt80] is not a section; did you mean [jt808]?"
    assert "there are [archive], [basemap], [city], [console]" in found[4]


def test_things_in_the_wrong_place(file: Path) -> None:
    assert problems(file, "port = 8080\n") == [
        "city.toml:1: port stands before the first section; every setting belongs to one"
    ]
    assert problems(file, '\nredis = "redis://host"\n') == [
        "city.toml:2: redis must be a section: write [redis] on a line of its own"
    ]
    assert problems(file, "\n\n[[console]]\nport = 1\n")[0].startswith("city.toml:3: console must be a section")


def test_two_listeners_on_one_port(file: Path) -> None:
    assert problems(file, "[field]\n\nport = 8080\n") == ["city.toml:3: [field] port 8080 is that of [console] too"]
    assert problems(file, "[console]\nport = 8081\n") == ["city.toml:2: [field] port 8081 is that of [console] too"]
    wide = '[server]\nbind = "0.0.0.0"\n[console]\nport = 90\nbind = "10.0.0.1"\n[field]\nport = 90\n'
    assert problems(file, wide) == ["city.toml:7: [field] port 90 is that of [console] too"]
    apart = '[console]\nport = 90\nbind = "10.0.0.1"\n[field]\nport = 90\nbind = "10.0.0.2"\n'
    assert parse(file, apart).field.port == 90
    assert parse(file, "[console]\nport = 0\n[field]\nport = 0\n").field.port == 0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[city]\nname = """\n[jt808]\nport = 1\n"""\n[jt808]\nport = "x"\n', 7),
        ("[console]\norigins = [\n  # [jt808]\n]\n[jt808]\n\nport = 'x'", 7),
        ('[ "jt808" ] # here\n\n"port" = "x"', 3),
        ('\njt808.port = "x"', 2),
        ('\njt808 = {bind = "::1", port = "x"}', 2),
        ('[jt808]\nbind = "127.0.0.1" # port = 1\n# port = 2\nport = "x"', 4),
        ('[city]\nname = "A \u2028 \x85 B"\n[jt808]\nport = "x"', 4),
        ('[jt808]\r\nbind = "::"\r\n\r\nport = "x"\r\n', 4),
    ],
)
def test_lines_are_found_however_it_is_written(file: Path, text: str, line: int) -> None:
    file.write_bytes(text.encode())
    with pytest.raises(ConfigError) as caught:
        read(file, TRACKERS)
    assert f'city.toml:{line}: [jt808] port must be 1..65535, not "x"' in caught.value.problems


def test_what_is_no_toml(file: Path) -> None:
    assert problems(file, "[city]\nname = Gridbeat\n") == ["city.toml:2: Invalid value (column 8)"]
    assert problems(file, "[city]\nname 3\n")[0].startswith("city.toml:2: ")
    assert problems(file, '[city]\nname = "x\n')[0].startswith("city.toml:2: ")
    assert problems(file, "[city]\n[jt808]\n[city]\n")[0].startswith("city.toml:3: ")
    assert problems(file, '[console]\n\norigins = [\n"a",\n')[0].startswith("city.toml:4: ")
    file.write_bytes("[city]\n\nname = '栖桥'\n".encode("gbk"))
    with pytest.raises(ConfigError, match=r"^city\.toml:3: not UTF-8"):
        read(file, TRACKERS)


def test_what_is_no_file(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"city\.toml: no such file or directory$"):
        read(file, TRACKERS)
    with pytest.raises(ConfigError, match="is a directory"):
        read(file.parent, TRACKERS)
    file.write_bytes(b"#" * (FILE_LIMIT + 1))
    with pytest.raises(ConfigError, match="so no settings file"):
        read(file, TRACKERS)


def test_the_example_holds_every_setting_with_its_default(file: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    settings = parse(file, text)
    # A setting whose default is "none" is shown behind a "#"; uncommented, it must be one.
    text += '[tk]\n# bind = "127.0.0.1"\nport = 7700\n# networks = ["10.0.0.0/8"]\n'
    shown = re.sub(
        r"^# (?=(url|center|bind|head_file|head_url|holidays|rules|roads|secret_file|networks|tls|certificate|key) = )",
        "",
        text,
        flags=re.MULTILINE,
    )
    parse(file, shown)
    section = ""
    written = set()
    for line in shown.splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        elif key := re.match(r"(\w+) = ", line):
            written.add((section, key[1]))
    assert written == {(section, key) for section, keys in known(TRACKERS).items() for key in keys}
    for keys in known(TRACKERS).values():
        for name in keys.values():
            if name not in ("data", "demo"):
                assert value_of(settings, name) == value_of(defaults(TRACKERS), name)
    assert settings.data == file.parent / "data"


def test_a_section_for_each_simple_tracker(file: Path) -> None:
    settings = parse(file, '[server]\nbind = "10.0.0.1"\n[tk]\nport = 7001\n')
    assert settings.trackers["tk"] == Listener("10.0.0.1", 7001)
    assert problems(file, "[tk]\nport = 6808\n") == ["city.toml:2: [tk] port 6808 is that of [jt808] too"]
    assert "[server], [tk]" in problems(file, "[tracker]\nport = 1\n")[0]
