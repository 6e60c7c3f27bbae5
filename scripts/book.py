#!/usr/bin/env python3
"""Makes a site of the documents: book.py DIRECTORY. `make docs` calls it; mdBook (from PyPI) makes the pages.

Its pages are the Markdown files of this repository as they are, at their own paths, so that one text serves GitHub, an
editor and the site. README.md leads to them: what it leads to has a place in PARTS, and what has a place is led to. At
the end each link of the site is followed.
"""

from __future__ import annotations

import html.parser
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).resolve().parents[1]
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)", re.MULTILINE)
ELSEWHERE = ("https://", "http://", "mailto:")
START = "README.md"
# The table of contents. A pattern stands for what is left of its files, in the order of their paths.
PARTS = {
    "Use": ["docs/register.md", "docs/ci.md", "docs/commands.md", "docs/notifications.md", "docs/report.md"],
    "Operate": [
        "docs/operations.md",
        "docs/costs.md",
        "docs/faq.md",
        "docs/migration.md",
        "docs/releases.md",
        "CHANGELOG.md",
    ],
    "Trust": ["docs/threat-model.md", "boundary/README.md", "account/README.md", "SECURITY.md"],
    "Examples": ["examples/README.md", "examples/*/README.md"],
    "Terraform": ["terraform/README.md", "docs/terraform.md", "terraform/modules/*/README.md"],
    "How it is made": [
        "docs/architecture.md",
        "worker/README.md",
        "docs/performance.md",
        "docs/comparison.md",
        "CONTRIBUTING.md",
        "bench/README.md",
        "docs/decisions/README.md",
        "docs/decisions/*.md",
    ],
}
SETTINGS = """\
[book]
title = "iwomp"
src = "src"

# It would rename each README.md, and no link to one.
[build]
use-default-preprocessors = false

[output.html]
additional-css = ["wide.css"]
no-section-label = true
hash-files = false

[output.html.print]
enable = false
"""
# Code and drawings have up to a hundred columns, which the pages' own width would cut.
WIDE = ":root { --content-max-width: 60rem; }\n"


class Broken(Exception):
    """The documents do not make a site."""


def main(site: Path) -> None:
    documents, files = reached()
    with tempfile.TemporaryDirectory() as scratch:
        book = Path(scratch)
        for path in [*documents, *files]:
            target = book / "src" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / path, target)
        (book / "src" / "SUMMARY.md").write_text(contents(documents))
        (book / "book.toml").write_text(SETTINGS)
        (book / "wide.css").write_text(WIDE)
        shutil.rmtree(site, ignore_errors=True)
        made = subprocess.run(
            ["mdbook", "build", "--dest-dir", str(site.resolve()), str(book)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if made.returncode != 0 or " WARN " in made.stdout:
        raise Broken(f"mdbook is not content:\n{made.stdout}")
    if broken := sorted(dead_links(site)):
        raise Broken("the site has links that lead nowhere:\n" + "\n".join(broken))
    print(f"{len(documents)} documents: {site / 'index.html'}")


def links(text: str) -> list[str]:
    """Where a document's links lead, within the repository."""
    found = LINK.findall(FENCED.sub("", text))
    return [link for either in found for link in either if link and not link.startswith(ELSEWHERE)]


def reached() -> tuple[list[str], list[str]]:
    """The documents that README.md leads to, and the other files that those link to."""
    documents, files = {START: None}, dict[str, None]()
    queue = [START]
    while queue:
        document = queue.pop()
        for link in links((REPOSITORY / document).read_text()):
            if link.startswith("#"):
                continue
            path = (REPOSITORY / document).parent / link.partition("#")[0]
            if not path.is_file():
                raise Broken(f"{document} links to {link}, which is no file: link to one")
            name = path.resolve().relative_to(REPOSITORY).as_posix()
            if not name.endswith(".md"):
                files[name] = None
            elif name not in documents:
                documents[name] = None
                queue.append(name)
    return list(documents), list(files)


def contents(documents: list[str]) -> str:
    """SUMMARY.md, of which mdBook makes the table of contents."""
    left = set(documents) - {START}
    lines = [f"[{heading(START)}]({START})"]
    for part, patterns in PARTS.items():
        lines += ["", f"# {part}", ""]
        for pattern in patterns:
            found = sorted(path for path in left if PurePosixPath(path).match(pattern))
            if not found:
                raise Broken(f"scripts/book.py has a place for {pattern}, to which README.md does not lead")
            left -= set(found)
            lines += [f"- [{heading(path)}]({path})" for path in found]
    if left:
        raise Broken(f"README.md leads to {', '.join(sorted(left))}: give it a place in PARTS of scripts/book.py")
    return "\n".join(lines) + "\n"


def heading(document: str) -> str:
    found = re.search(r"^# (.+)$", (REPOSITORY / document).read_text(), re.MULTILINE)
    if found is None:
        raise Broken(f"{document} has no heading of the first level")
    return found[1]


class Page(html.parser.HTMLParser):
    """What a page links to, and the names of its places."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.places.add(value or "")
            elif name in {"href", "src"} and value:
                self.links.add(value)


def dead_links(site: Path) -> Iterator[str]:
    pages = {path.resolve(): Page(path.read_text()) for path in site.rglob("*.html")}
    for path, page in pages.items():
        # It stands at any depth, with links from the root of a site.
        for link in page.links if path.name != "404.html" else ():
            if urllib.parse.urlsplit(link).scheme:
                continue
            file, _, place = map(urllib.parse.unquote, link.partition("#"))
            target = (path.parent / file).resolve() if file else path
            target = target / "index.html" if target.is_dir() else target
            known = pages.get(target)
            if not target.exists() or (place and known is not None and place not in known.places):
                yield f"{path.relative_to(site.resolve())}: {link}"


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 (itself and the directory)
        sys.exit("usage: book.py DIRECTORY")
    try:
        main(Path(sys.argv[1]))
    except Broken as broken:
        sys.exit(f"scripts/book.py: {broken}")
