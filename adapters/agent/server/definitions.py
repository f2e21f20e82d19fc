"""Agent definitions: TOML files as frozen models. Knows nothing of models, sockets or databases."""

import hashlib
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from adapters.agent.server.tool_definitions import Approval, ToolDefinition, Words
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
    def _tool_names_are_distinct(self) -> "AgentDefinition":
        names = [tool.name for tool in self.tools]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"tools named twice: {', '.join(sorted(twice))}")
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
        return tool.id if tool and tool.id else f"custom_tool_{_digest(f'{self.name}/{name}')}"

    def input_id(self, given: Io) -> str:
        return given.id or f"input_{_digest(f'{self.name}/inputs/{given.name}')}"

    def output_id(self, made: Io) -> str:
        return made.id or f"output_{_digest(f'{self.name}/outputs/{made.name}')}"


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:24]


def load(folder: Path) -> dict[str, AgentDefinition]:
    """By name. Raises `ConfigError` naming the file and the word that is wrong."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; agent definitions are TOML files in it")
    found: dict[str, AgentDefinition] = {}
    for path in sorted(folder.glob("*.toml")):
        definition = read(path)
        if definition.name in found:
            raise ConfigError(f"{path}: a second agent is named {definition.name!r}; names are unique")
        found[definition.name] = definition
    return found


def read(path: Path) -> AgentDefinition:
    try:
        words = tomllib.loads(path.read_text(encoding="utf-8"))
        definition = AgentDefinition.model_validate({"name": path.stem, **words})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        word = ".".join(str(part) for part in first["loc"]) or "the definition"
        raise ConfigError(f"{path}: {word}: {first['msg']}") from error
    return _with_folder(definition, path)


def _with_folder(definition: AgentDefinition, path: Path) -> AgentDefinition:
    if not definition.knowledge.folder:
        return definition
    folder = path.parent / definition.knowledge.folder
    if not folder.is_dir():
        raise ConfigError(f"{path}: knowledge.folder: no such folder: {folder}")
    try:
        documents = tuple(
            Document(title=file.stem.replace("_", " ").replace("-", " "), text=file.read_text(encoding="utf-8"))
            for file in sorted(folder.iterdir())
            if file.suffix in {".md", ".txt"}
        )
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: knowledge.folder: {error}") from error
    knowledge = Knowledge(documents=definition.knowledge.documents + documents)
    return definition.model_copy(update={"knowledge": knowledge})
