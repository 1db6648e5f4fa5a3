"""The servers under comparison, each by a short name, with which the command line names it."""

from servers.bare import bare
from servers.nginx import nginx
from servers.ours import ours
from servers.plain import dufs, rclone, s3s
from servers.seaweed import seaweed
from servers.tus import node, rustus

SERVERS = {
    "full": ours(),
    "relaxed": ours("relaxed"),
    "bare": bare(),
    "nginx": nginx(),
    "nginx-1m": nginx("1m"),
    "s3s-fs": s3s(),
    "dufs": dufs(),
    "rustus": rustus(),
    "tus": node(),
    "rclone": rclone(),
    "seaweed": seaweed(),
    "seaweed-fsync": seaweed(fsync=True),
}
# Those that are there without being installed.
OWN = ("full", "relaxed", "bare")
