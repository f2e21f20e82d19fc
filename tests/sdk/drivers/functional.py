"""Functional agents: placeholders, runs with texts and files, and what goes wrong."""

from pathlib import Path

from telling import run, tell
from vectorshift import Agent
from vectorshift.agent.extra_tools import CustomTool
from vectorshift.agent.object import IoConfig, LlmInfo
from vectorshift.agent.template_refs import TemplateReferenceError

PAPER = Path("paper.txt")
MODEL = LlmInfo(provider="offline", model_id="")


async def main() -> None:
    made = Agent.new(
        name="brief",
        llm_info=MODEL,
        instructions="Write [[outputs.brief]] about [[inputs.brief]] from [[inputs.paper]], with [[tools.brief]].",
        inputs={"brief": IoConfig(io_type="string"), "paper": IoConfig(io_type="file")},
        outputs={"brief": IoConfig(io_type="string", description="One paragraph."), "tone": IoConfig(io_type="string")},
        tools=[CustomTool(tool_type="lookup_order", tool_name="brief", tool_description="For [[inputs.brief]].")],
    )
    before = made.instructions
    made.save()
    again = Agent.fetch(id=made.id)
    from_path = again.run(inputs={"brief": "kites", "paper": PAPER})
    from_bytes = await again.arun(inputs={"brief": "lines", "paper": b"\xff\xd8\xff\xe0 not a text"})
    plain = again.run(inputs={"brief": "tails"}, additional_instructions="Be dry.")
    wrong = ""
    try:
        Agent.new(
            name="wrong",
            llm_info=MODEL,
            instructions="About [[inputs.topik]]",
            inputs={"topic": IoConfig(io_type="string")},
        )
    except TemplateReferenceError as error:
        wrong = str(error)
    tell(
        before=before,
        after=again.instructions,
        ids=[again.inputs["brief"].server_id, again.outputs["brief"].server_id, again.tools[0].id],
        from_path=[from_path.status, from_path.outputs, from_path.run_id],
        from_bytes=[from_bytes.status, from_bytes.outputs],
        plain=[plain.status, plain.outputs],
        wrong=wrong,
        listed=[agent.name for agent in Agent.list()],
    )


PAPER.write_text("Kites fly higher.")
run(main())
