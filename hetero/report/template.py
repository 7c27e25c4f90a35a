"""The page around the parts of a report, and how it looks. ``PAGE`` names each part with a dollar sign."""

from __future__ import annotations

from string import Template

__all__ = ["PAGE"]

FONTS = 'system-ui, Roboto, "DejaVu Sans", sans-serif'

STYLE = f"""
body {{ font: 15px/1.5 {FONTS}; color: #1c2430; background: #fff; }}
body {{ max-width: 1120px; margin: 0 auto; padding: 24px 28px 64px; }}
h1 {{ font-size: 26px; margin: 0 0 4px; }}
h1 small {{ font-weight: 400; color: #5f6b7a; font-size: 17px; }}
h2 {{ font-size: 18px; margin: 36px 0 10px; padding-bottom: 4px; border-bottom: 1px solid #e2e6ec; }}
p {{ margin: 6px 0; }}
.quiet {{ color: #5f6b7a; font-size: 13px; }}
table {{ border-collapse: collapse; width: 100%; font-size: 13.5px; }}
th {{ text-align: left; font-weight: 600; color: #5f6b7a; border-bottom: 1px solid #c9d0da; padding: 4px 12px 4px 0; }}
td {{ border-bottom: 1px solid #edf0f4; padding: 4px 12px 4px 0; vertical-align: top; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
tr.chosen td {{ background: #eef6fc; font-weight: 600; }}
.wide {{ overflow-x: auto; }}
.chart {{ margin: 4px 0; }}
.legend span {{ margin-right: 16px; font-size: 13px; white-space: nowrap; }}
.legend i {{ display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; }}
.placement {{ overflow-x: auto; text-align: center; }}
.placement svg {{ max-width: 100%; height: auto; }}
svg text {{ font-family: {FONTS}; fill: #1c2430; }}
svg .name {{ font-size: 13px; font-weight: 600; }}
svg .detail {{ font-size: 11px; fill: #5f6b7a; }}
svg .frame {{ font-size: 12px; font-weight: 600; fill: #4a5563; }}
details {{ border-bottom: 1px solid #edf0f4; padding: 5px 0; }}
summary {{ cursor: pointer; }}
summary span {{ color: #5f6b7a; font-size: 13px; margin-left: 8px; }}
"""

PAGE = Template(
    f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>$name: hetero report</title>
<style>{STYLE}</style>
</head>
<body>
<h1>$name <small>planned for $objective</small></h1>
<p>$verdict.</p>
<p class="quiet">$machine. $bound_of</p>
<h2>Five figures</h2>
$figures
<h2>What 1,000 requests cost</h2>
$bill
<p class="quiet">$prices.</p>
<h2>What each constraint costs</h2>
<p class="quiet">The best plan without a supplier, device or limit, computed from what was measured for this one.</p>
$constraints
$rivals
<h2>Under load</h2>
$load
<h2>Schedule</h2>
<p class="quiet">Critical path: $path</p>
<p class="legend">$legend</p>
$charts
<h2>Placement</h2>
<div class="placement">$placement</div>
<h2>Nodes, for one request</h2>
$nodes
<h2>What was considered</h2>
$options
<h2>Notes</h2>
<ul>$notes</ul>
<script>$script</script>
<script>
const charts = $data;
charts.forEach((chart, i) => Plotly.newPlot("chart" + i, chart.data, chart.layout,
    {{responsive: true, displayModeBar: false}}));
document.body.dataset.charts = charts.length;
</script>
</body>
</html>
"""
)
