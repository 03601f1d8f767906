"""The configuration that a participant reads, without what it must not know."""

import configparser
import errno
import logging
from typing import Iterable, Optional

SECRETS = ("amqp_pwd", "amqp_pass", "amqp_password", "amqp_password_file")
LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "CRITICAL": logging.CRITICAL,
}
ERROR_CLASSES = (  # Ruby constants that some engine knows; any other name hangs the process
    "RuntimeError",
    "StandardError",
    "BOSS::RemoteError",
    "Ruote::Amqp::RemoteError",
)


def load(
    files: Iterable[str], log: Optional[logging.Logger] = None
) -> configparser.ConfigParser:
    """Read ini files, low precedence first, into one parser.

    A missing file is skipped; an unreadable or malformed one, and a log level that
    is none, are reported to `log` by file and line and skipped; never raises for
    what files contain. Lines are not quoted in reports: they may hold a password.
    A value whose interpolation fails does so when it is read.
    """
    log = log or logging.getLogger("SkyNET")
    merged = _parser()
    level = None
    for path in files:
        text = _read(path, log)
        one = _parse(path, text, log)
        if one is None:
            continue
        merged.read_string(text, path)
        value = one.get("skynet", "log_level", raw=True, fallback=None)
        if value is not None and value.upper() not in LEVELS:
            log.warning("%s: log_level %r is none of %s, ignored", path, value, ", ".join(LEVELS))
        elif value is not None:
            level = value
    _settle(merged, level)
    return merged


def log_level(config: configparser.ConfigParser, default: int = logging.INFO) -> int:
    """The level that `[skynet] log_level` names, `default` where there is none."""
    name = config.get("skynet", "log_level", raw=True, fallback="")
    return LEVELS.get(name.upper(), default)


def error_class(config: configparser.ConfigParser, log: logging.Logger) -> str:
    """The class for error replies: `[participant] error_class`, a bad one reported."""
    name = config.get("participant", "error_class", raw=True, fallback="")
    if name and name not in ERROR_CLASSES:
        log.warning("error_class %r is none of %s, ignored", name, ", ".join(ERROR_CLASSES))
    return name if name in ERROR_CLASSES else ERROR_CLASSES[0]


def _parser() -> configparser.ConfigParser:
    return configparser.ConfigParser(
        comment_prefixes=("#", ";"), inline_comment_prefixes=None, strict=False
    )


def _read(path: str, log: logging.Logger) -> str:
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            return file.read()
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.ENOTDIR):
            log.warning("%s: cannot be read, skipped: %s", path, exc.strerror)
        return ""


def _parse(path: str, text: str, log: logging.Logger) -> Optional[configparser.ConfigParser]:
    """A parser of one file alone, so that a bad file leaves nothing half read behind."""
    one = _parser()
    try:
        one.read_string(text, path)
    except (configparser.Error, ValueError, AttributeError) as exc:
        errors = getattr(exc, "errors", None)
        line = getattr(exc, "lineno", None) or (errors[0][0] if errors else 0)
        log.warning("%s:%s: malformed (%s), file skipped", path, line, type(exc).__name__)
        return None
    return one


def _settle(config: configparser.ConfigParser, level: Optional[str]) -> None:
    """Take secrets out, and put the last log level that is one in."""
    for key in SECRETS:
        config.defaults().pop(key, None)
        for section in config.sections():
            config.remove_option(section, key)
    if level is not None:
        if not config.has_section("skynet"):
            config.add_section("skynet")
        config.set("skynet", "log_level", level)
    elif config.has_section("skynet"):
        config.remove_option("skynet", "log_level")
