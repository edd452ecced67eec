"""The container's command line as it runs there: unprivileged, on a read-only tree, one writable folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from config.settings import ROOT
from tests.acceptance.processes import free_port

# A private mount namespace: the home of the interpreter open to others, all read-only but the data folder.
_SETUP = r"""
set -e
mount --make-rprivate /
home=$1 data=$2; shift 2
top=/$(echo "$home" | cut -d/ -f2)
if [ "$(stat -c %a "$top")" = 700 ]; then
    keep=$(mktemp -d /tmp/keep.XXXXXX)
    mount --bind "$home" "$keep"
    mount -t tmpfs -o mode=755 tmpfs "$top"
    mkdir -p "$home"
    mount --bind "$keep" "$home"
fi
mount --bind "$data" "$data"
mount -o remount,ro,bind /
exec setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --no-new-privs "$@"
"""


def _can_confine() -> bool:
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")):
        return False
    return subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0


@pytest.mark.skipif(not _can_confine(), reason="needs root, unshare and setpriv to build a read-only tree")
def test_the_bot_serves_unprivileged_on_a_read_only_tree(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    for folder in (data, *data.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o711)
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "MEMORY_DB_PATH": str(data / "memory.db"),
        "HTTP_PORT": str(port),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
    }
    base = Path(sys.base_prefix)
    command = ["sh", "-c", _SETUP, "sh", str(base), str(data), sys.executable, "-m", "bot", "run"]
    process = subprocess.Popen(
        ["unshare", "-m", *command], cwd=data, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        _wait_healthy(port, process)
        owner = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        assert "Uid:\t65534" in owner
        assert "NoNewPrivs:\t1" in owner
        assert "CapEff:\t0000000000000000" in owner
        assert (data / "memory.db").stat().st_mode & 0o777 == 0o600
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=12) == 0
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def _wait_healthy(port: int, process: subprocess.Popen[str]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail(process.stderr.read() if process.stderr else "died")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("not healthy after 20 s")
