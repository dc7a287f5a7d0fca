from pathlib import Path

from simulator import scenario
from simulator.scenario_reference import markdown

PAGE = Path(__file__).parents[2] / "docs" / "scenario.md"


def test_the_page_about_every_key_is_fresh() -> None:
    made = markdown(scenario.schema())
    assert PAGE.read_text(encoding="utf-8") == made, "python -m simulator schema --markdown > docs/scenario.md"


def test_the_page_names_models_defaults_and_keys_by_their_place() -> None:
    schema = {
        "properties": {
            "name": {"type": "string", "description": "Who."},
            "line": {"oneOf": [{"$ref": "#/$defs/Slow"}, {"$ref": "#/$defs/Fast"}]},
        },
        "$defs": {
            "Slow": {"description": "Slow.", "properties": {"model": {"const": "slow"}}, "type": "object"},
            "Fast": {
                "description": "Fast.\n\nAttributes:\n    rate_bps: How fast.\n    least, most: Limits\n        of it.",
                "type": "object",
                "required": ["rate"],
                "properties": {
                    "model": {"const": "fast"},
                    "rate": {"type": ["string", "number"], "examples": ["1 Mbit/s", 5]},
                    "most": {"type": "integer", "minimum": 3, "default": 7},
                },
            },
        },
    }
    page = markdown(schema)
    assert "| `name` | text |  | Who. |" in page
    assert "## line\n\n**`model: slow`** Slow.\n\n**`model: fast`** Fast.\n" in page
    assert "| `rate` | such as `1 Mbit/s`, `5` | required | How fast. |" in page
    assert "| `most` | whole number, at least 3 | `7` | Limits of it. |" in page


def test_defaults_are_spelled_so_that_a_file_would_mean_the_same() -> None:
    assert scenario.schema()["$defs"]["FixedPlayout"]["properties"]["deadline"]["default"] == "150 ms"
