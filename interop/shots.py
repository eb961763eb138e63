"""Takes the README's pictures: shots.py RUN MADE DOCS, of a training run that has ended (runs/demo), and of what superres made of a frame with its
truth (runs/film/made). It writes into DOCS

    terminal.svg   the terminal during a small training of the demo's spec
    report.png     the top of RUN/report.html
    sample.png     input, sample and truth with a zoom
    spectrum.png   their spectra, and the ratios to the truth's

and wants tmux, Chromium, and rich from PyPI.
"""
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS, ROWS = 96, 18
THEME = TerminalTheme((17, 20, 24), (230, 237, 243),
                      [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)],
                      [(110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255), (86, 212, 221), (255, 255, 255)])
# rich's own, without the fonts that it would load from another host
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def terminal(to, command, until):
    """Runs a command in a terminal until its screen matches, and draws the screen."""
    tmux = ["tmux", "-L", f"shots{os.getpid()}"]
    subprocess.run([*tmux, "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), command], check=True)
    try:
        for _ in range(3000):
            screen = subprocess.run([*tmux, "capture-pane", "-p", "-e"], check=True, capture_output=True, text=True).stdout
            if re.search(until, Text.from_ansi(screen).plain):
                break
            time.sleep(0.2)
        else:
            sys.exit(f"shots.py: {command}: never showed {until}")
    finally:
        subprocess.run([*tmux, "kill-server"])
    lines = screen.rstrip().split("\n")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True)
    console.save_svg(to, title="fmsr run specs/demo.yaml", theme=THEME, code_format=FORMAT, unique_id="t")


def page(to, path, height, width=1280):
    """Draws the top of a page."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None) or sys.exit("shots.py: there is no Chromium")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile", "--virtual-time-budget=20000",
                        f"--window-size={width},{height}", f"--screenshot={os.path.abspath(to)}", "file://" + os.path.abspath(path)], check=True, stderr=subprocess.DEVNULL)


def main(run, made, docs):
    live = "runs/shots/live"
    shutil.rmtree(live, ignore_errors=True)
    terminal(f"{docs}/terminal.svg", f"bin/fmsr run specs/demo.yaml --out {live} --model-channels 8 --log-every 100", r"[789]\d%  step")
    page(f"{docs}/report.png", f"{run}/report.html", 1130)
    pictures = f"{made}/images"
    [sample] = os.listdir(f"{pictures}/samples")
    shutil.copyfile(f"{pictures}/samples/{sample}", f"{docs}/sample.png")
    shutil.copyfile(f"{pictures}/spectra.png", f"{docs}/spectrum.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
