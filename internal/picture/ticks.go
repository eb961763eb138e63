package picture

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
)

// linearTicks returns the multiples of a round step in [lo,hi], lo < hi: at most
// `most` of them, and at least two if most >= 6. Labels are in units of 10^exponent,
// which is 0 unless the labels would be long. Where hi and lo have nine digits in common, lo
// is the only one: labels would not part the others.
func linearTicks(lo, hi float64, most int) (ticks []plot.Tick, exponent int) {
	largest := int(math.Floor(math.Log10(max(math.Abs(lo), math.Abs(hi)))))
	if largest < -2 || largest > 3 {
		exponent = largest
	}
	if hi-lo < 1e-9*max(math.Abs(lo), math.Abs(hi)) {
		return []plot.Tick{{Value: lo, Label: number(lo/math.Pow10(exponent), 3)}}, exponent
	}
	mantissa, power := roundStep((hi - lo) / float64(most-1))
	step := mantissa * math.Pow10(power)
	decimals := max(0, exponent-power)
	for i := math.Ceil(lo/step - 1e-9); i <= math.Floor(hi/step+1e-9); i++ {
		// i*mantissa is an integer, so that zero is 0 and no label is 0.30000000000000004
		label := number(i*mantissa*math.Pow10(power-exponent), decimals)
		ticks = append(ticks, plot.Tick{Value: i * step, Label: label})
	}
	return ticks, exponent
}

// roundStep returns the least number of at least x that is 1, 2 or 5 times a power of
// ten.
func roundStep(x float64) (mantissa float64, power int) {
	power = int(math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*math.Pow10(power) >= x*(1-1e-9) {
			return m, power
		}
	}
	return 1, power + 1
}

// number formats x with a true minus sign, and zero without a sign.
func number(x float64, decimals int) string {
	if x == 0 {
		x = 0 // not -0
	}
	return strings.Replace(strconv.FormatFloat(x, 'f', decimals, 64), "-", "\u2212", 1)
}

// powerOfTen returns 10^n in the markup of superscripts.
func powerOfTen(n int) string { return "10^{" + number(float64(n), 0) + "}" }

// decades sets the ticks of a logarithmic axis: the powers of ten, at most `most` of
// them with labels, and if there is room also 2 to 9 times each power. On a short
// axis 2 and 5 times have labels too, and within one decade all ticks have. Labels are 1, 2,
// 5, 10, ... if they are short, else 10^n.
type decades struct{ most int }

// Ticks implements gonum's plot.Ticker, for 0 < lo < hi.
func (d decades) Ticks(lo, hi float64) []plot.Tick {
	length := math.Log10(hi / lo)
	first, last := int(math.Floor(math.Log10(lo))), int(math.Ceil(math.Log10(hi)))
	every := max(1, (int(math.Ceil(length))+d.most-1)/d.most)
	plain := lo >= 0.009 && hi < 1e5 && length < 3.2
	room := 3*length <= float64(d.most)
	var ticks []plot.Tick
	for e := first; e <= last; e++ {
		for m := 1; m < 10; m++ {
			t := plot.Tick{Value: float64(m) * math.Pow10(e)}
			if t.Value < lo || t.Value > hi || m > 1 && length > 9 {
				continue
			}
			labelled := m == 1 && e%every == 0 || (m == 2 || m == 5) && room && (plain || length < 1.5) || length < 1 && 9*length <= float64(d.most)
			switch {
			case labelled && plain:
				t.Label = strconv.FormatFloat(t.Value, 'g', 6, 64)
			case labelled && m == 1:
				t.Label = powerOfTen(e)
			case labelled:
				t.Label = fmt.Sprintf("%d\u00d7%s", m, powerOfTen(e))
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// linear sets the ticks of a linear axis, at most `most` of them.
type linear struct{ most int }

// Ticks implements gonum's plot.Ticker, for lo < hi.
func (l linear) Ticks(lo, hi float64) []plot.Tick {
	ticks, exponent := linearTicks(lo, hi, l.most)
	for i := range ticks {
		if exponent != 0 && ticks[i].Value != 0 {
			ticks[i].Label += "\u00d7" + powerOfTen(exponent)
		}
	}
	return ticks
}

// AxisTicks returns the ticks of an axis from lo to hi, lo < hi and, if it is logarithmic, 0 < lo.
// At most `most` have labels, which are plain text.
func AxisTicks(lo, hi float64, logarithmic bool, most int) []plot.Tick {
	var axis plot.Ticker = linear{most}
	if logarithmic {
		axis = decades{most}
	}
	ticks := axis.Ticks(lo, hi)
	for i := range ticks {
		label := ""
		for _, r := range runs(ticks[i].Label) {
			if r.shift > 0 {
				r.text = raised.Replace(r.text)
			}
			label += r.text
		}
		ticks[i].Label = label
	}
	return ticks
}

var raised = strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹", "\u2212", "⁻")
