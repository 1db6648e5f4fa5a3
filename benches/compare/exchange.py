"""Requests, as the load client takes them."""

import json
import subprocess
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Exchange:
    head: str
    prefix: str = ""
    content: int = 0
    suffix: str = ""

    @classmethod
    def of(cls, method, path, running, headers=None, content=0, prefix="", suffix=""):
        fields = {"Host": running.address} | (headers or {})
        length = len(prefix) + content + len(suffix)
        if length or method in ("PUT", "POST"):
            fields["Content-Length"] = length
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return cls("\r\n".join(lines) + "\r\n\r\n", prefix, content, suffix)
