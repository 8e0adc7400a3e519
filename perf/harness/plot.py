"""A horizontal bar chart as SVG, small enough to read in a diff."""

from xml.sax.saxutils import escape

LABEL_WIDTH = 210
PLOT_WIDTH = 440
ROW_HEIGHT = 22
MARGIN = 44
GOOD, BAD, PLAIN, GOAL = "#2f7d4f", "#b5472f", "#5b7083", "#222222"


class Bar:
    """One bar: a value, and if the load has one, the goal drawn as a line across it."""

    def __init__(self, label, value, goal=None, verdict=None):
        self.label = label
        self.value = value
        self.goal = goal
        self.verdict = verdict

    def color(self):
        """Green and red by the verdict, grey where there is none."""
        return {"pass": GOOD, "MISS": BAD}.get(self.verdict, PLAIN)


def chart(title, unit, bars):
    """The whole SVG document; `unit` says under the title what a bar's length is."""
    top = max([bar.value for bar in bars] + [bar.goal or 0 for bar in bars] + [1e-9]) * 1.12
    height = MARGIN + ROW_HEIGHT * len(bars) + 10
    width = LABEL_WIDTH + PLOT_WIDTH + 110
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="10" y="18" font-size="14" font-weight="bold">{escape(title)}</text>',
        f'<text x="10" y="34" fill="{PLAIN}">{escape(unit)}</text>',
    ]
    for index, bar in enumerate(bars):
        lines += draw(bar, MARGIN + ROW_HEIGHT * index, PLOT_WIDTH / top)
    return "\n".join([*lines, "</svg>"]) + "\n"


def draw(bar, y, scale):
    """The elements of one row."""
    length = bar.value * scale
    lines = [
        f'<text x="{LABEL_WIDTH - 8}" y="{y + 14}" text-anchor="end">{escape(bar.label)}</text>',
        f'<rect x="{LABEL_WIDTH}" y="{y + 3}" width="{length:.1f}" height="{ROW_HEIGHT - 7}" fill="{bar.color()}"/>',
    ]
    end, text = length, f"{bar.value:.2f}"
    if bar.goal is not None:
        x = LABEL_WIDTH + bar.goal * scale
        end, text = max(end, bar.goal * scale), f"{text} (bar {bar.goal:.2f})"
        lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + ROW_HEIGHT - 1}" stroke="{GOAL}" stroke-width="2"/>')
    lines.append(f'<text x="{LABEL_WIDTH + end + 6:.1f}" y="{y + 14}">{text}</text>')
    return lines
