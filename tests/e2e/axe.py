"""axe-core, which finds what shuts people out of a page: Debian has none, so one release of npm's, known by its hash, kept beside what is built."""
import hashlib
import os
import subprocess
import tarfile
import tempfile
import time

VERSION = "4.14.1"
SHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
TRIES = 3


def packed(folder):
    """The package as npm gives it; a registry that does not answer at once is asked again."""
    for again in range(TRIES):
        found = subprocess.run(["npm", "pack", "--silent", f"axe-core@{VERSION}"], cwd=folder, capture_output=True, text=True, timeout=60)
        if found.returncode == 0:
            return f"{folder}/axe-core-{VERSION}.tgz"
        time.sleep(2 * again)
    raise AssertionError(f"npm pack: {found.stderr}")


def source():
    kept = f'{os.environ["KPID_BUILD"]}/axe-{VERSION}.min.js'
    if not os.path.exists(kept):
        with tempfile.TemporaryDirectory() as folder:
            with open(packed(folder), "rb") as f:
                assert hashlib.sha256(f.read()).hexdigest() == SHA256, "axe-core is not what it was"
            with tarfile.open(f"{folder}/axe-core-{VERSION}.tgz") as archive, open(f"{kept}.new", "wb") as out:
                out.write(archive.extractfile("package/axe.min.js").read())
        os.replace(f"{kept}.new", kept)
    with open(kept) as f:
        return f.read()
