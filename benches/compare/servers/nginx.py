"""nginx: static files with sendfile, and uploads by its WebDAV module."""

import os

import peers
from servers.plain import Plain

CONFIG = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/errors error;
worker_processes 2;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_temp_path {folder}/bodies;
    {more}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
        location / {{ dav_methods PUT; }}
    }}
}}
"""


def nginx(buffer=None):
    """With its own buffer for bodies (16 KiB, written by halves), or a larger one."""
    more = f"client_body_buffer_size {buffer};" if buffer else ""

    def command(program, folder, port):
        # Workers of root would be somebody who may not write here.
        user = "" if os.geteuid() else "user root;"
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, port=port, user=user, more=more))
        return [program, "-p", folder, "-c", config]

    return Plain(
        f"nginx, buffer {buffer}" if buffer else "nginx",
        "Debian: nginx-light",
        hashes="no",
        verifies="no",
        syncs="no",
        program=lambda: peers.debian("nginx-light", "nginx"),
        command=command,
        folders=("files", "bodies"),
    )
