package main

import (
	"fmt"
	"math"
	"strings"
)

// pictured are the comparisons of the picture: the gateway's processor time at a
// row, relative to another system's.
func pictured() []goal {
	return []goal{
		{row: "plain-1k", other: "nginx"},
		{row: "plain-1k", other: "std"},
		{row: "plain-1k", other: "caddy"},
		{row: "tls-1k", other: "nginx"},
		{row: "tls-1k", other: "caddy"},
		{row: "h2-1k", other: "nginx"},
		{row: "h2-1k", other: "caddy"},
		{row: "jwt-returning", other: "haproxy"},
		{row: "gate-warm", other: "nginx-lua"},
		{row: "gate-cold", other: "nginx-lua"},
		{row: "mask-list", other: "nginx-lua"},
		{row: "mask-list", other: "naive"},
		{row: "full-list", other: "nginx-lua"},
		{row: "full-record", other: "caddy@plain-1k"},
	}
}

// The picture's measures, in pixels. Its axis is logarithmic: half as much and
// twice as much are equally far from the line in the middle.
const (
	pictureWidth = 760
	barHeight    = 16
	barStep      = 26
	pictureTop   = 56
	octave       = 52 // for twice as much
	mostOctaves  = 5.5
)

// picture is the SVG: a bar for each comparison, to the left of the line where
// the gateway takes less, to the right where it takes more. The colours are
// readable on white and on black.
func (r *report) picture() string {
	var bars strings.Builder
	y := pictureTop
	axis := float64(pictureWidth - 100)
	for _, g := range pictured() {
		v := r.ratio(g.row, "gateway", g.other)
		if v == 0 {
			continue
		}
		size := math.Min(math.Abs(math.Log2(v)), mostOctaves) * octave
		x, class := axis-size, "less"
		if v > 1 {
			x, class = axis, "more"
			size = math.Min(size, 50)
		}
		fmt.Fprintf(&bars, `<text x="0" y="%d">%s <tspan class="faint">against %s</tspan></text>`+"\n", y+12, escape(rowNamed(g.row).title), escape(against(g.other)))
		fmt.Fprintf(&bars, `<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d" rx="2"/>`+"\n", class, x, y, math.Max(size, 1), barHeight)
		fmt.Fprintf(&bars, `<text class="number" x="%d" y="%d">%.2f x</text>`+"\n", pictureWidth, y+12, v)
		y += barStep
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Processor time of the gateway relative to other systems">
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.faint { fill: #6e7781 }
.number { text-anchor: end; font-weight: 600 }
.title { font-size: 15px; font-weight: 600 }
.less { fill: #2da44e }
.more { fill: #bf8700 }
line { stroke: #6e7781; stroke-width: 1 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.faint { fill: #9198a1 }
}
</style>
<text class="title" x="0" y="18">Processor time per request of the gateway, as a multiple of the other's</text>
<text class="faint" x="0" y="38">Each bar begins at the line for "as much"; green is less. The scale is logarithmic.</text>
%s<line x1="%.0f" y1="%d" x2="%.0f" y2="%d"/>
</svg>
`, pictureWidth, y+8, pictureWidth, y+8, bars.String(), axis, pictureTop-6, axis, y)
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
