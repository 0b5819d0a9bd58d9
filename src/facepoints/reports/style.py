"""The style sheet of our pages: light and dark, screen, phone and paper."""

from __future__ import annotations

_TABS = "".join(f".tabs>input:nth-of-type({i}):checked~.panels>:nth-child({i}){{display:block}}" for i in range(1, 11))

# The series' colors are Okabe and Ito's blue, vermillion and green ("Color Universal Design", 2008), a shade lighter
# on dark ground. Text on ground has a contrast of 7 or more.
STYLE = (
    """
:root{--ground:#fbfbf9;--card:#fff;--ink:#1d2328;--soft:#545d66;--line:#dcdedb;--tint:#eef3f7;
--accent:#0a5f95;--one:#0072b2;--two:#d55e00;--three:#008c66;--four:#a3428a;--five:#a87600;--six:#69757f;--point:#3cebaa;--guess:#ff6a3d;
--rival:#5cc1ff}
@media (prefers-color-scheme:dark){:root{--ground:#14181b;--card:#1c2125;--ink:#e6e9eb;--soft:#a5afb7;--line:#343b41;
--tint:#1f2a33;--accent:#7cc0ee;--one:#56b4e9;--two:#f2894a;--three:#35c79b;--four:#dd8ec4;--five:#e0b04a;--six:#9aa6b0}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:1240px;padding:0 20px 60px;background:var(--ground);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header{padding:40px 0 12px}
h1{margin:0 0 8px;font-size:clamp(26px,5vw,38px);line-height:1.15;letter-spacing:-.015em}
h2{margin:0 0 12px;font-size:24px;letter-spacing:-.01em}
h3{margin:30px 0 8px;font-size:17px}
p{margin:8px 0 12px;max-width:76ch}
.lead{color:var(--soft);font-size:18px}
.muted{color:var(--soft)}
a{color:var(--accent)}
code{font:.88em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--tint);border-radius:4px;
padding:1px 5px;overflow-wrap:anywhere}
nav{position:sticky;top:0;z-index:2;margin:0 -20px;padding:8px 20px;background:var(--ground);
border-bottom:1px solid var(--line);overflow-x:auto;scrollbar-width:thin}
nav ul{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0;padding:0;list-style:none;white-space:nowrap;font-size:14px}
nav a{text-decoration:none}
nav a:hover{text-decoration:underline}
section{padding-top:46px;scroll-margin-top:0}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(148px,1fr));gap:10px;margin:20px 0 8px}
.facts div{padding:12px 14px;background:var(--card);border:1px solid var(--line);border-radius:10px}
.facts b{display:block;color:var(--ink);font-size:24px;line-height:1.2;letter-spacing:-.01em;
font-variant-numeric:tabular-nums}
.facts span{color:var(--soft);font-size:13.5px;line-height:1.35;display:block}
.note{padding:10px 16px;background:var(--tint);border-left:4px solid var(--accent);border-radius:0 8px 8px 0;
max-width:84ch}
.wide{overflow-x:auto;margin:12px 0;max-width:100%}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding-bottom:6px}
th,td{padding:5px 14px 5px 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--soft);white-space:nowrap}
.number{text-align:right;white-space:nowrap}
td.words{min-width:12ch}td.words+td.words{min-width:26ch}td code{white-space:nowrap;overflow-wrap:normal}
tbody tr:hover{background:var(--tint)}
figure{margin:12px 0}
figcaption{color:var(--soft);font-size:13.5px;line-height:1.4;margin-top:5px;max-width:70ch}
img,svg{display:block;max-width:100%;height:auto;border-radius:6px}
img.sharp{image-rendering:pixelated}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(var(--least),100%),1fr));gap:14px;margin:12px 0;
align-items:start}
.grid>figure{margin:0}
.card svg{width:100%}
.card figcaption{font-size:12.5px}
circle.point{fill:var(--point);stroke:#12181c;stroke-width:.45}
circle.guess,circle.rival{fill:none;stroke:var(--guess);stroke-width:.9}circle.rival{stroke:var(--rival)}
.chart text{fill:var(--soft);font-size:12px}
.chart .name{fill:var(--ink)}
.chart .axis{stroke:var(--line)}
.chart{overflow:visible;width:100%}
.one{fill:var(--one);stroke:var(--one)}.two{fill:var(--two);stroke:var(--two)}
.three{fill:var(--three);stroke:var(--three)}.four{fill:var(--four);stroke:var(--four)}
.five{fill:var(--five);stroke:var(--five)}.six{fill:var(--six);stroke:var(--six)}
.chart .curve{fill-opacity:.18;stroke-width:1.8}
.chart .line{fill:none;stroke-width:2}
.chart .dashed{stroke-dasharray:5 3}.chart .thin{stroke-width:1;stroke-opacity:.45}
.chart circle,.chart rect{stroke:none}.chart .band{fill:var(--soft);fill-opacity:.15}
.bars{display:grid;grid-template-columns:fit-content(46%) 1fr max-content;gap:3px 10px;font-size:14px;max-width:820px;
align-items:center;margin:12px 0;font-variant-numeric:tabular-nums}
.bars .name{overflow-wrap:anywhere;line-height:1.25}
.bars i{background:var(--tint);border-radius:3px;height:14px}
.bars b{display:block;height:14px;border-radius:3px;background:var(--one)}
.strips{display:grid;grid-template-columns:fit-content(44%) 1fr;gap:2px 10px;font-size:13px;align-items:center;
margin:12px 0}
.strips img{width:100%;height:15px;border-radius:2px}
.strips span{overflow-wrap:anywhere;line-height:1.2}
.row{display:grid;grid-template-columns:repeat(var(--columns),minmax(var(--least),1fr));gap:8px;overflow-x:auto;
margin:8px 0}
.row figure{margin:0}
figcaption.above{margin:0 0 5px;color:var(--ink)}
details{margin:12px 0;border:1px solid var(--line);border-radius:8px;padding:0 14px;background:var(--card)}
summary{cursor:pointer;padding:9px 0;color:var(--accent)}
.tabs{margin:14px 0;display:flex;flex-wrap:wrap;gap:6px}
.tabs>input{position:absolute;opacity:0;pointer-events:none}
.tabs>label{padding:4px 13px;border:1px solid var(--line);border-radius:99px;cursor:pointer;font-size:14px;
background:var(--card)}
.tabs>input:checked+label{background:var(--accent);border-color:var(--accent);color:var(--ground)}
.tabs>input:focus-visible+label{outline:2px solid var(--accent);outline-offset:2px}
.panels{flex-basis:100%;min-width:0}
.panels>div{display:none}
"""
    + _TABS
    + """
@media (max-width:700px){nav ul{flex-wrap:nowrap}}
@media (max-width:560px){body{padding:0 14px 40px;font-size:15.5px}nav{margin:0 -14px;padding:8px 14px}
header{padding-top:24px}section{padding-top:34px}.grid{gap:10px}th,td{padding-right:10px}
.facts{grid-template-columns:repeat(2,1fr)}.facts b{font-size:20px}}
@media print{:root{--ground:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--tint:#f3f3f3;--accent:#0a4a75;
--one:#0072b2;--two:#d55e00;--three:#008c66;--four:#a3428a;--five:#a87600;--six:#69757f}
body{max-width:none;padding:0;font-size:10.5pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
nav,.tabs>label{display:none}.wide{overflow:hidden}table{font-size:8.5pt}th,td{padding-right:7px}
figure,tr,.facts div{break-inside:avoid}h2,h3{break-after:avoid}
.panels>div{display:block}.panels>div::before{content:attr(data-title);font-weight:600;display:block;margin-top:8px}}
"""
)
