"""Agent definitions: TOML files as frozen models. Knows nothing of models, sockets or databases."""

import hashlib
import tomllib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from adapters.agent import templates
from adapters.agent.server import mistakes
from adapters.agent.server.mistakes import WordWrong
from adapters.agent.server.tool_definitions import Approval, ToolDefinition, Words
from adapters.agent.templates import TemplateReferenceError
from gateway.errors import ConfigError

OFFLINE = "offline"


class Memory(Words):
    session: bool = True


class Document(Words):
    title: str
    text: str


class Knowledge(Words):
    """What `search_knowledge` reads: documents written here, and the text files of a folder beside this file."""

    folder: str = ""
    documents: tuple[Document, ...] = ()


class Io(Words):
    """An input or output of a functional agent. `id` is the one it has at the platform; empty: ours, from its name."""

    name: str = Field(min_length=1, max_length=64)
    io_type: str = "string"
    description: str = ""
    id: str = ""


class AgentDefinition(Words):
    """`stored_id` is set for an agent that was saved over REST; an agent from a file goes by its name."""

    name: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$")
    agent_type: Literal["conversational", "functional"] = "conversational"
    provider: str = OFFLINE
    model: str = ""
    base_url: str = ""
    stored_id: str = ""
    instructions: str = ""
    inputs: tuple[Io, ...] = ()
    outputs: tuple[Io, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    memory: Memory = Memory()
    knowledge: Knowledge = Knowledge()

    @model_validator(mode="after")
    def _names_are_distinct(self) -> "AgentDefinition":
        for kind, listed in (("inputs", self.inputs), ("outputs", self.outputs), ("tools", self.tools)):
            names = [one.name for one in listed]
            for at, name in enumerate(names):
                if name in names[:at]:
                    raise WordWrong(f"{name!r} is the name of two {kind}; names are unique", kind, at, "name")
        return self

    @property
    def id(self) -> str:
        return self.stored_id or self.name

    @cached_property
    def gated_tools(self) -> tuple[str, ...]:
        """The names of the tools that may ask for approval."""
        return tuple(tool.name for tool in self.tools if tool.approval is not Approval.AUTO_RUN)

    def tool(self, name: str) -> ToolDefinition | None:
        return next((tool for tool in self.tools if tool.name == name), None)

    def tool_id(self, name: str) -> str:
        """The protocol wants `<tool type>_<24 hex>`; ours is the same at every start."""
        tool = self.tool(name)
        if tool and tool.id:
            return tool.id
        kind = tool.catalogue.node_type if tool and tool.catalogue else "custom_tool"
        return f"{kind}_{_digest(f'{self.name}/{name}')}"

    def input_id(self, given: Io) -> str:
        return given.id or f"input_{_digest(f'{self.name}/inputs/{given.name}')}"

    def output_id(self, made: Io) -> str:
        return made.id or f"output_{_digest(f'{self.name}/outputs/{made.name}')}"


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:24]


class DefinitionWrong(ConfigError):
    """A file that is no definition. `mistakes` are all there are, each with its file and, if it has one, its line."""

    def __init__(self, path: Path, found: Sequence[str]) -> None:
        self.mistakes = tuple(f"{path}{', ' if one.startswith('line ') else ': '}{one}" for one in found)
        more = f" (and {len(found) - 1} more: `gateway agents check` lists them)" if len(found) > 1 else ""
        super().__init__(f"{self.mistakes[0]}{more}")


def load(folder: Path) -> dict[str, AgentDefinition]:
    """By name. Raises `ConfigError` naming the file, the line and the word that is wrong."""
    found: dict[str, AgentDefinition] = {}
    for path in files(folder):
        add(found, read(path), path)
    return found


def files(folder: Path) -> Sequence[Path]:
    """Raises `ConfigError` where there is no folder."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; agent definitions are TOML files in it")
    return sorted(folder.glob("*.toml"))


def add(found: dict[str, AgentDefinition], definition: AgentDefinition, path: Path) -> None:
    """Raises `ConfigError` where the name is taken."""
    if definition.name in found:
        raise ConfigError(f"{path}: a second agent is named {definition.name!r}; names are unique")
    found[definition.name] = definition


def read(path: Path) -> AgentDefinition:
    """One file. Raises `DefinitionWrong`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionWrong(path, [f"it cannot be read ({error})"]) from error
    try:
        words = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionWrong(path, [mistakes.of_syntax(error, text)]) from error
    if "stored_id" in words:
        raise DefinitionWrong(path, [mistakes.at(text, "is not for files: remove it", "stored_id")])
    try:
        definition = AgentDefinition.model_validate({"name": path.stem, **words})
    except ValidationError as error:
        raise DefinitionWrong(path, mistakes.of_words(error, text, words, AgentDefinition)) from error
    try:
        templates.canonical_agent(definition)
    except TemplateReferenceError as error:
        raise DefinitionWrong(path, [mistakes.at_written(text, str(error), error.written)]) from error
    return _with_folder(definition, path, text)


def _with_folder(definition: AgentDefinition, path: Path, text: str) -> AgentDefinition:
    if not definition.knowledge.folder:
        return definition
    try:
        documents = tuple(_documents(path.parent / definition.knowledge.folder))
    except (OSError, UnicodeDecodeError) as error:
        why = f"{path.parent / definition.knowledge.folder}: {error}"
        raise DefinitionWrong(path, [mistakes.at(text, why, "knowledge", "folder")]) from error
    knowledge = Knowledge(documents=definition.knowledge.documents + documents)
    return definition.model_copy(update={"knowledge": knowledge})


def _documents(folder: Path) -> Iterator[Document]:
    if not folder.is_dir():
        raise NotADirectoryError("no such folder")
    for file in sorted(folder.iterdir()):
        if file.suffix in {".md", ".txt"}:
            title = file.stem.replace("_", " ").replace("-", " ")
            yield Document(title=title, text=file.read_text(encoding="utf-8"))
