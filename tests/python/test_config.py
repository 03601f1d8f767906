"""The configuration of PROTOCOL 3.6, and what is taken out of it."""

import configparser
import logging
import os

import pytest
from SkyNET import _config


@pytest.fixture
def load(tmp_path, caplog):
    """load("text", …): the merged configuration of files 0.conf, 1.conf, …"""

    def make(*texts):
        files = []
        for i, text in enumerate(texts):
            path = tmp_path / f"{i}.conf"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            files.append(str(path))
        return _config.load(files)

    return make


def test_is_a_config_parser_with_basic_interpolation(load):
    config = load("[a]\nhome = /x\npath = %(home)s/y\n")
    assert isinstance(config, configparser.ConfigParser)
    assert config.get("a", "path") == "/x/y"


def test_comments_are_whole_lines_only(load):
    config = load("# one\n; two\n[a]\nurl = http://h/#frag ; more\n# three = 3\n;four = 4\n")
    assert dict(config["a"]) == {"url": "http://h/#frag ; more"}


def test_quotes_are_kept_and_values_may_be_empty(load):
    config = load("[a]\nq = \"x\"\ns = 'y'\nempty =\n")
    assert dict(config["a"]) == {"q": '"x"', "s": "'y'", "empty": ""}


def test_later_files_win_and_keep_the_rest(load):
    config = load("[a]\nx = 1\ny = 1\n", "[a]\nx = 2\n[b]\nz = 3\n", "[a]\nx = 3\n")
    assert dict(config["a"]) == {"x": "3", "y": "1"}
    assert config["b"]["z"] == "3"


def test_a_key_or_section_may_be_repeated_in_one_file(load, caplog):
    config = load("[a]\nx = 1\nx = 2\n[a]\ny = 3\n")
    assert dict(config["a"]) == {"x": "2", "y": "3"}
    assert not caplog.records


def test_bad_interpolation_fails_when_read_and_only_then(load):
    config = load("[a]\nbad = 100%\nworse = %(nothing)s\ngood = 1\n")
    assert config.get("a", "good") == "1"
    for key in ("bad", "worse"):
        with pytest.raises(configparser.InterpolationError):
            config.get("a", key)
    assert config.get("a", "bad", raw=True) == "100%"


def test_missing_files_are_skipped_silently(tmp_path, caplog):
    config = _config.load([str(tmp_path / "none"), str(tmp_path / "none" / "below")])
    assert config.sections() == []
    assert not caplog.records


def test_unreadable_files_are_reported_and_skipped(tmp_path, caplog):
    (tmp_path / "good").write_text("[a]\nx = 1\n")
    config = _config.load([str(tmp_path), str(tmp_path / "good")])
    assert config["a"]["x"] == "1"
    assert str(tmp_path) in caplog.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_forbidden_files_are_reported_and_skipped(tmp_path, caplog):
    (tmp_path / "shut").write_text("[a]\nx = 1\n")
    (tmp_path / "shut").chmod(0)
    assert _config.load([str(tmp_path / "shut")]).sections() == []
    assert "shut" in caplog.text


@pytest.mark.parametrize(
    "text, line",
    [
        ("secretword\n[a]\nx = 1\n", 1),
        ("[a]\nx = 1\nsecretword\n", 3),
        ("[a]\nx = 1\n\n[b\nsecretword\n", 4),
        ("[a]\n= secretword\n", 2),
    ],
)
def test_malformed_files_are_reported_by_line_and_skipped_whole(load, caplog, text, line):
    config = load("[a]\nx = 0\n", text, "[c]\nz = 3\n")
    assert config["a"]["x"] == "0"
    assert config["c"]["z"] == "3"
    assert f"1.conf:{line}:" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING
    assert "secretword" not in caplog.text


def test_bytes_that_are_no_utf8_are_no_error(load, caplog):
    config = load(b"\xef\xbb\xbf[a]\nx = caf\xe9\ny = \xc3\xa9\n")
    assert config["a"]["x"].encode("utf-8", "surrogateescape") == b"caf\xe9"
    assert config["a"]["y"] == "é"
    assert not caplog.records


@pytest.mark.parametrize("section", ["boss", "DEFAULT", "other"])
@pytest.mark.parametrize("key", ["amqp_pwd", "AMQP_PWD", "amqp_password", "amqp_password_file"])
def test_the_password_is_gone(load, caplog, section, key):
    text = f"[{section}]\n{key} = hidden\nk = 1\n[x]\nby = %({key})s\n"
    config = load(text, "[boss]\namqp_host = h\n")
    found = [v for s in config.sections() for _, v in config.items(s, raw=True)]
    assert "hidden" not in found + list(config.defaults().values())
    assert config["boss"]["amqp_host"] == "h"
    with pytest.raises(configparser.InterpolationError):
        config.get("x", "by")
    assert "hidden" not in caplog.text


@pytest.mark.parametrize(
    "name, level",
    [
        ("DEBUG", logging.DEBUG),
        ("debug", logging.DEBUG),
        ("Info", logging.INFO),
        ("WARN", logging.WARNING),
        ("WARNING", logging.WARNING),
        ("ERROR", logging.ERROR),
        ("CRITICAL", logging.CRITICAL),
        ("FATAL", logging.CRITICAL),
    ],
)
def test_log_level(load, name, level):
    assert _config.log_level(load(f"[skynet]\nlog_level = {name}\n"), default=1) == level


def test_log_level_of_the_later_file_wins(load):
    config = load(
        "[skynet]\nlog_level = ERROR\n", "[a]\n", "[skynet]\nlog_level = DEBUG\n", "[b]\n"
    )
    assert _config.log_level(config) == logging.DEBUG


def test_default_log_level(load):
    assert _config.log_level(load("")) == logging.INFO


@pytest.mark.parametrize("bogus", ["LOUD", "", "5%", '"DEBUG"', "17"])
def test_a_bogus_log_level_is_reported_and_ignored(load, caplog, bogus):
    config = load("[skynet]\nlog_level = ERROR\n", f"[skynet]\nlog_level = {bogus}\n")
    assert "1.conf: log_level" in caplog.text
    assert _config.log_level(config) == logging.ERROR
    assert config["skynet"]["log_level"] == "ERROR"


def test_a_bogus_log_level_alone(load, caplog):
    config = load("[skynet]\nlog_level = LOUD\n")
    assert "LOUD" in caplog.text
    assert _config.log_level(config) == logging.INFO


@pytest.mark.parametrize("name", _config.ERROR_CLASSES)
def test_error_class(load, name):
    config = load(f"[participant]\nerror_class = {name}\n")
    assert _config.error_class(config, logging.getLogger()) == name


@pytest.mark.parametrize("text", ["", "[participant]\n", "[participant]\nerror_class =\n"])
def test_default_error_class(load, text):
    assert _config.error_class(load(text), logging.getLogger()) == "RuntimeError"


def test_a_bogus_error_class_is_reported_and_ignored(load, caplog):
    config = load("[participant]\nerror_class = Errno::ENOENT\n")
    assert _config.error_class(config, logging.getLogger("SkyNET")) == "RuntimeError"
    assert "Errno::ENOENT" in caplog.text


def test_the_four_classes_that_engines_know():
    assert set(_config.ERROR_CLASSES) == {
        "RuntimeError",
        "StandardError",
        "BOSS::RemoteError",
        "Ruote::Amqp::RemoteError",
    }
