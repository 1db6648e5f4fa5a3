"""The servers that are compared, each started alone with a folder of its own."""

from servers.ours import Ours
from servers.nginx import Nginx

ALL = {server.name: server for server in (Ours(), Ours("relaxed"), Nginx())}
