package picture

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot"
)

func labels(ticks []plot.Tick) string {
	var out []string
	for _, t := range ticks {
		if t.Label != "" {
			out = append(out, t.Label)
		}
	}
	return strings.Join(out, " ")
}

func TestLinearTicks(t *testing.T) {
	for _, c := range []struct {
		lo, hi   float64
		most     int
		want     string
		exponent int
	}{
		{-0.3, 0.3, 7, "−0.3 −0.2 −0.1 0.0 0.1 0.2 0.3", 0},
		{-0.29, 0.29, 7, "−0.2 −0.1 0.0 0.1 0.2", 0},
		{0.924, 1.054, 11, "0.94 0.96 0.98 1.00 1.02 1.04", 0},
		{-25, 25, 7, "−20 −10 0 10 20", 0},
		{-1.7e-5, 1.7e-5, 5, "−1 0 1", -5},
		{0, 123456, 5, "0.0 0.5 1.0", 5},
		{1, 1.0000001, 5, "1.00000000 1.00000005 1.00000010", 0},
		{1, math.Nextafter(1, 2), 6, "1.000", 0},
		{3e17, 3e17 + 64, 6, "3.000", 17},
		{-1e-45, 1e-45, 5, "−1.0 −0.5 0.0 0.5 1.0", -45},
		{-3e38, 3e38, 5, "−2 0 2", 38},
	} {
		ticks, exponent := linearTicks(c.lo, c.hi, c.most)
		if got := labels(ticks); got != c.want || exponent != c.exponent {
			t.Errorf("%g to %g: %s times 1e%d, want %s times 1e%d", c.lo, c.hi, got, exponent, c.want, c.exponent)
		}
		slack := 1e-6 * (c.hi - c.lo)
		for _, tick := range ticks {
			if tick.Value < c.lo-slack || tick.Value > c.hi+slack {
				t.Errorf("%g to %g: tick at %g", c.lo, c.hi, tick.Value)
			}
		}
	}
}

// TestTicksSuffice checks that a bar of any range has at least two numbers, and not
// too many.
func TestTicksSuffice(t *testing.T) {
	for most := 6; most <= 11; most++ {
		for i := range 200 {
			hi := math.Pow(10, float64(i)/40-2)
			for _, lo := range []float64{-hi, 0, hi / 3, hi * 0.97} {
				if ticks, _ := linearTicks(lo, hi, most); len(ticks) < 2 || len(ticks) > most {
					t.Errorf("%g to %g, at most %d: %d ticks", lo, hi, most, len(ticks))
				}
			}
		}
	}
}

func TestDecades(t *testing.T) {
	for _, c := range []struct {
		d      decades
		lo, hi float64
		want   string
	}{
		{decades{16}, 0.95, 67, "1 2 5 10 20 50"},
		{decades{5}, 0.95, 67, "1 10"},
		{decades{8}, 0.9, 1.2e5, "10^{0} 10^{1} 10^{2} 10^{3} 10^{4} 10^{5}"},
		{decades{8}, 3e-7, 4e-4, "10^{\u22126} 10^{\u22125} 10^{\u22124}"},
		{decades{8}, 1.5e-12, 2, "10^{\u221210} 10^{\u22128} 10^{\u22126} 10^{\u22124} 10^{\u22122} 10^{0}"},
		{decades{8}, 4e-5, 1.7e-4, "4\u00d710^{\u22125} 5\u00d710^{\u22125} 6\u00d710^{\u22125} 7\u00d710^{\u22125} 8\u00d710^{\u22125} 9\u00d710^{\u22125} 10^{\u22124}"},
		{decades{5}, 0.09, 2.1, "0.1 0.2 0.5 1 2"},
	} {
		if got := labels(c.d.Ticks(c.lo, c.hi)); got != c.want {
			t.Errorf("%g to %g: %s, want %s", c.lo, c.hi, got, c.want)
		}
	}
}

func TestAxisTicks(t *testing.T) {
	for _, c := range []struct {
		lo, hi      float64
		logarithmic bool
		want        string
	}{
		{0, 100, false, "0 20 40 60 80 100"},
		{-1e-5, 1e-5, false, "−1.0×10⁻⁵ −0.5×10⁻⁵ 0.0 0.5×10⁻⁵ 1.0×10⁻⁵"},
		{1e-12, 1e-3, true, "10⁻¹² 10⁻¹⁰ 10⁻⁸ 10⁻⁶ 10⁻⁴"},
		{1, 64, true, "1 2 5 10 20 50"},
	} {
		var labels []string
		for _, tick := range AxisTicks(c.lo, c.hi, c.logarithmic, 6) {
			if tick.Label != "" {
				labels = append(labels, tick.Label)
			}
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%g to %g: %s", c.lo, c.hi, got)
		}
	}
}
