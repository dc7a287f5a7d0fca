"""From a folder to tables, figures and the page."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from simulator import cli, records, run
from simulator.errors import OutputError
from simulator.report import estimates
from simulator.report.curves import difference_drawings, quality_drawings
from simulator.report.drawing import Drawing
from simulator.report.pictures import Album
from simulator.report.read import read
from simulator.report.study import study
from simulator.report.write import Written, write_report
from tests.simulator.small import lossy


class Elements(HTMLParser):
    """All elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, attribute: str) -> list[str]:
        return [str(attributes[attribute]) for _, attributes in self.found if attribute in attributes]


@pytest.fixture(scope="module")
def page(reported: Written) -> Elements:
    return Elements(reported.page.read_text(encoding="utf-8"))


def test_tables_and_figures_lie_beside_the_page(reported: Written) -> None:
    tables = {path.stem for path in (reported.files / "tables").iterdir()}
    assert tables == {"quality", "falls", "differences", "tokens", "transport", "cells"}
    figures = {path.name for path in (reported.files / "figures").iterdir()}
    for name in ("quality_psnr_db", "difference_psnr_db"):
        assert {f"{name}.png", f"{name}.svg"} <= figures
    assert {"strip_median.png", "strip_worst.png"} <= figures
    for path in (reported.files / "figures").glob("*.png"):
        assert np.asarray(Image.open(path).convert("L")).std() > 5, f"{path.name} is blank"


def test_files_of_figures_say_what_made_them(reported: Written, sweep: Path) -> None:
    with Image.open(reported.files / "figures" / "quality_psnr_db.png") as picture:
        assert sweep.name in picture.info["Source"] and "seeds 1 to 3" in picture.info["Source"]
    svg = (reported.files / "figures" / "quality_psnr_db.svg").read_text()
    assert sweep.name in svg and "loss rate set (%)" in svg and "PSNR (dB)" in svg


def test_numbers_lead_to_their_cells_and_these_to_scenario_version_and_model(reported: Written, sweep: Path) -> None:
    cells = pd.read_csv(reported.files / "tables" / "cells.csv", keep_default_na=False)
    assert cells["scenario_hash"].str.fullmatch("[0-9a-f]{12}").all() and (cells["model_hash"] == "none").all()
    assert (cells["version"] != "").all() and sweep.name in (reported.files / "source.txt").read_text()
    of = cells.set_index("cell")[["scheme", "loss"]]
    text = reported.page.read_text(encoding="utf-8")
    table = text[text.index('id="quality"') : text.index('id="differences"')]
    rows = re.findall(r'<a href="#cell-(\w+)">([\w ]+)</a></th><td class="number" data-sort="([\d.]+)"', table)
    assert len(rows) == 6
    for cell, scheme, loss in rows:
        assert of.loc[cell].tolist() == [scheme, float(loss)]


def test_what_codecs_sent_is_said_where_it_differs(sweep: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(sweep, tmp_path / "x")
    frames = pd.read_parquet(copy / "sweep.parquet")
    assert not [d.caption for d in drawings(copy) if "on the wire" in d.caption]
    frames.loc[frames["concealment"] == "none", "bpp"] *= 2
    records.write_parquet(frames, copy / "sweep.parquet")
    said = [d.caption for d in drawings(copy) if d.name.startswith(("quality", "difference"))]
    assert said and all("Bits a pixel on the wire: no concealment: " in caption for caption in said)


def drawings(folder: Path) -> list[Drawing]:
    known = study(read(folder))
    return [
        *quality_drawings(known, estimates.quality(known)),
        *difference_drawings(known, estimates.differences(known)),
    ]


def test_the_page_fetches_nothing(page: Elements, reported: Written) -> None:
    sources = page.all("src")
    assert len(sources) > 10 and all(source.startswith("data:") for source in sources)
    assert not re.search(r"url\(\s*[\"']?(?!#)|@import|fetch\(|XMLHttp", reported.page.read_text(encoding="utf-8"))
    assert "default-src 'none'" in "".join(page.all("content"))


def test_every_link_leads_somewhere(page: Elements, reported: Written) -> None:
    ids = set(page.all("id"))
    links = [attributes["href"] or "" for tag, attributes in page.found if tag == "a"]
    for link in links:
        assert link[1:] in ids if link.startswith("#") else (reported.page.parent / link).exists(), link
    assert len(page.all("id")) == len(ids), "an id occurs twice"


def test_pictures_and_figures_have_words_for_those_who_cannot_see_them(page: Elements) -> None:
    images = [attributes for tag, attributes in page.found if tag == "img"]
    drawings = [attributes for tag, attributes in page.found if tag == "svg"]
    assert images and all(len(str(image.get("alt"))) > 10 for image in images)
    assert drawings and all(len(str(drawing.get("aria-label"))) > 20 for drawing in drawings)


def test_every_cell_stands_in_the_page_with_its_folder(page: Elements, sweep: Path) -> None:
    anchors = {name.removeprefix("cell-") for name in page.all("id") if name.startswith("cell-")}
    assert anchors == {path.name for path in (sweep / "cells").iterdir()}


def test_made_twice_it_is_the_same_bytes(reported: Written, sweep: Path) -> None:
    before = {path: path.read_bytes() for path in [reported.page, *reported.files.rglob("*.*")]}
    write_report(sweep, reported.page)
    assert {path: path.read_bytes() for path in before} == before


def test_a_single_run_becomes_a_page_and_keeps_its_own_figures(tmp_path: Path) -> None:
    folder = run.run(lossy("output.frames=2"), tmp_path).folder
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert cli.main(["report", str(folder)]) == 0
    assert {path: path.read_bytes() for path in before} == before
    text = (folder / "report.html").read_text(encoding="utf-8")
    for words in (
        "Quality of each frame",
        "Packets and blocks",
        "Distribution of the delay of packets",
        "Median frame",
    ):
        assert words in text
    assert "quality_psnr_db" not in text and "Differences, pair by pair" not in text


def test_scenario_text_cannot_break_out_of_the_page(sweep: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(sweep, tmp_path / "x")
    (copy / "sweep.yaml").write_text("</pre><script>alert(1)</script>")
    assert "<script>alert(1)" not in write_report(copy).page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_ten_thousand_cells_need_no_file_of_any_cell(sweep: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sweep-large"
    folder.mkdir()
    for name in ("sweep.yaml", "provenance.json"):
        shutil.copy(sweep / name, folder)
    frames, cells = pd.read_parquet(sweep / "sweep.parquet"), pd.read_csv(sweep / "summary.csv")
    copies = range(-(-10_000 // len(cells)))
    larger = [
        pd.concat([t.assign(seed=t["seed"] + 3 * i, cell=t["cell"] + f"-{i}") for i in copies]) for t in (frames, cells)
    ]
    records.write_parquet(larger[0][larger[0]["frame"] < 3], folder / "sweep.parquet")
    records.write_csv(larger[1], folder / "summary.csv")
    page = write_report(folder).page.read_text(encoding="utf-8")
    assert "10,008" in page or "10008 cells" in page
    assert len(page) < 2_000_000 and "9508 more" in page


def test_a_place_that_cannot_be_written_is_named(sweep: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(sweep, tmp_path / "file" / "page.html")


# Pictures


def test_the_median_frame_is_the_kept_one_nearest_to_the_median(sweep: Path) -> None:
    known = study(read(sweep))
    album = Album(known)
    median, worst = album.strips()
    frames = known.results.frames
    of_baseline = frames["cell"].isin(known.cells["cell"][known.cells["concealment.method"] == "none"])
    damaged = frames[of_baseline & (frames["tokens_missing"] > 0)]
    kept = damaged[[frame in album.kept[cell] for cell, frame in zip(damaged["cell"], damaged["frame"], strict=True)]]
    for strip, share in ((median, 0.5), (worst, 0.05)):
        _, still = strip.rows[0]
        target = damaged["psnr_db"].quantile(share)
        here = kept[(kept["cell"] == still.cell) & (kept["frame"] == still.frame)]["psnr_db"].item()
        assert abs(here - target) == pytest.approx((kept["psnr_db"] - target).abs().min())
        assert [scheme for scheme, _ in strip.rows] == ["no concealment", "neighbour_mean"]
        assert len({other.frame for _, other in strip.rows}) == 1


def test_a_torn_picture_is_named(sweep: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(sweep, tmp_path / "x")
    for path in copy.glob("cells/*/frames/*_concealed.png"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(OutputError, match=r"_concealed.png: is no whole picture"):
        write_report(copy)


def test_without_pictures_there_is_no_viewer(sweep: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(sweep, tmp_path / "x", ignore=shutil.ignore_patterns("*.png"))
    text = write_report(copy).page.read_text(encoding="utf-8")
    assert 'id="viewer"' not in text
