"""The documents: every link leads somewhere, and the errors that people search for are those that the programs say."""

from __future__ import annotations

import re
from pathlib import Path

import interface
import pytest
from book import FENCED, links
from documents import anchors, texts

from iwomp_local.places import REPOSITORY

FOLDERS_OF_TOOLS = {".tools", "target", "node_modules", ".terraform"}
DOCUMENTS = sorted(
    path.relative_to(REPOSITORY)
    for path in REPOSITORY.rglob("*.md")
    if not FOLDERS_OF_TOOLS & set(path.relative_to(REPOSITORY).parts)
)
# Where a module's inputs and outputs are told.
MODULES = [*sorted(REPOSITORY.glob("terraform/modules/*")), REPOSITORY / "examples" / "state-bucket"]
TABLES = {
    Path("docs/terraform.md"): Path("terraform"),
    **{module.relative_to(REPOSITORY) / "README.md": module.relative_to(REPOSITORY) for module in MODULES},
}
WITH_TERRAFORM = [document for document in DOCUMENTS if "```hcl" in (REPOSITORY / document).read_text()]
# The errors of AWS that people meet stand in our stand-ins for it.
SAYS_ERRORS = ("*/src/**/*.rs", "lambdas/*/src/**/*.rs", "terraform/**/*.tf", "local/**/*.py")


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    found = links((REPOSITORY / document).read_text())
    assert [link for link in found if not leads_somewhere(document, link)] == []


def leads_somewhere(document: Path, link: str) -> bool:
    file, _, heading = link.partition("#")
    target = (REPOSITORY / document).parent / file if file else REPOSITORY / document
    return target.exists() and (not heading or heading in anchors(FENCED.sub("", target.read_text())))


def test_errors_of_the_faq_are_said_in_these_words() -> None:
    said = re.sub(r"\\\n\s*", "", "".join(texts(SAYS_ERRORS)))
    quoted = re.findall(r"^### `(.*)`$", (REPOSITORY / "docs/faq.md").read_text(), re.MULTILINE)
    assert len(quoted) > 10
    assert [words for words in quoted if words not in said] == []


@pytest.mark.parametrize("document", TABLES, ids=str)
def test_inputs_and_outputs_are_told_as_the_module_has_them(document: Path) -> None:
    written = (REPOSITORY / document).read_text()
    right = interface.with_tables(written, REPOSITORY / TABLES[document])
    if written != right:
        (REPOSITORY / document).write_text(right)
    assert written == right, f"{document} was out of date, and now tells the module: look at the difference, commit it"


@pytest.mark.parametrize("document", WITH_TERRAFORM, ids=str)
def test_terraform_that_is_shown_can_be_read_and_gives_a_module_what_it_wants(document: Path) -> None:
    for block in re.findall(r"^```hcl\n(.*?)^```", (REPOSITORY / document).read_text(), re.DOTALL | re.MULTILINE):
        for name, call in interface.calls(block):
            folders = [folder for folder in TABLES.values() if re.search(rf"\b{folder.name}(\?|$)", call["source"])]
            for folder in folders:
                given = set(call) - {"source", "providers", "for_each", "count"}
                inputs = dict(interface.blocks(REPOSITORY / folder, "variable"))
                required = {each for each, told in inputs.items() if "default" not in told}
                assert (required - given, given - set(inputs)) == (set(), set()), f"module {name} in {document}"
