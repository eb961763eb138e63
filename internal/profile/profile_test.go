package profile

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// twoSteps are, in ms, with the trainer on track 1 of loader, train, ema, eval:
//
//	train  0 ---- 40            50 ---- 90
//	ema            41-44                 91-94
//	eval              46-48
//	next arrives      at 41         and       at 99, when the profile ends at 100
var (
	origin   = time.Now()
	twoSteps = watched{
		began: at(0), ended: at(100), steps: 2,
		stages: []stageSpan{
			{0, at(0), at(30)}, {1, at(0), at(40)}, {2, at(41), at(44)}, {3, at(46), at(48)},
			{1, at(50), at(90)}, {2, at(91), at(94)}, {0, at(60), at(99)},
		},
		arrivals: []time.Time{at(41), at(99)},
		ops: []Op{
			span("randn", 0, 1, -1),
			span("forward", 2, 12, -1),
			span("conv2d", 3, 9, 1), span("aten::to", 3, 4, 2), span("aten::conv2d", 4, 9, 2), span("aten::empty", 5, 6, 4),
			span("backward", 12, 32, -1),
			span("autograd::engine::evaluate_function: torch::autograd::CppNode<fx::(anonymous namespace)::NormSiLU>", 13, 20, 6),
			span("torch::autograd::CppNode<fx::(anonymous namespace)::NormSiLU>", 14, 19, 7),
			span("optimizer", 32, 38, -1),
			span("aten::mul_", 33, 34, 9),
			span("ema", 42, 43, -1),
			span("forward", 46, 47, -1), // the evaluation's
			span("forward", 50, 60, -1), span("backward", 60, 80, -1), span("optimizer", 80, 86, -1), span("ema", 92, 93, -1),
		},
	}
)

func at(ms int) time.Time { return origin.Add(time.Duration(ms) * time.Millisecond) }

func span(name string, begin, end, parent int) Op {
	return Op{Name: name, Begin: at(begin), End: at(end), Parent: parent}
}

func TestBreakdown(t *testing.T) {
	b := twoSteps.breakdown(1)
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	// below: 41-44, 46-48, 91-94 less two averages of 1
	if b.apart != ms(6) || b.wall != ms(94) {
		t.Errorf("apart %v of a wall time of %v, want 6ms and 94ms", b.apart, b.wall)
	}
	want := [partCount]time.Duration{ms(20), ms(40), ms(12), ms(2), ms(5) + ms(0), ms(94 - 79)}
	if b.parts != want {
		t.Errorf("parts %v, want %v", b.parts, want)
	}

	got := map[string]opTime{}
	sum := time.Duration(0)
	for _, kind := range b.kinds {
		got[kind.name] = kind
		sum += kind.self
		inside := time.Duration(0)
		for _, op := range kind.ops {
			inside += op.self
			got[kind.name+": "+op.name] = op
		}
		if inside != kind.self {
			t.Errorf("%s: its ops take %v, it %v", kind.name, inside, kind.self)
		}
	}
	if sum != ms(75) { // 1 + 20 + 40 + 12 + 2
		t.Errorf("ops take %v, want 75ms", sum)
	}
	for name, want := range map[string]struct {
		calls int
		self  time.Duration
	}{
		"random numbers":                     {1, ms(1)},
		"convolution":                        {1, ms(5)}, // conv2d itself takes nothing; empty serves it
		"convolution: conv2d":                {1, ms(4)},
		"convolution: empty":                 {1, ms(1)},
		"copy, cast":                         {1, ms(1)},
		"norm, FiLM, SiLU":                   {1, ms(7)},
		"norm, FiLM, SiLU: NormSiLUBackward": {1, ms(7)},
		"autograd":                           {2, ms(13 + 20)},
		"between operations":                 {2, ms(4 + 10)},
		updates:                              {4, ms(6 + 6 + 1 + 1)},
		updates + ": mul_":                   {1, ms(1)},
	} {
		if got[name].calls != want.calls || got[name].self != want.self {
			t.Errorf("%s: %d calls, %v: want %d, %v", name, got[name].calls, got[name].self, want.calls, want.self)
		}
	}
	for i := 1; i < len(b.kinds); i++ {
		if b.kinds[i].self > b.kinds[i-1].self {
			t.Errorf("%s is below %s, which takes less", b.kinds[i].name, b.kinds[i-1].name)
		}
	}

	var text strings.Builder
	b.write(&text, "step")
	for _, line := range []string{
		"forward                                    0.0100    21.3%\n",
		"evaluation and sinks, apart from these     0.0030\n",
		"convolution                                   0.5       2.50     5.3%\n",
		"  conv2d                                      0.5       2.00     4.3%\n",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("%q is not in\n%s", line, text.String())
		}
	}
}

func TestOpKinds(t *testing.T) {
	for name, want := range map[string]string{
		"aten::mkldnn_convolution": "convolution",
		"aten::normal_":            "random numbers",
		"native_group_norm":        "norm, FiLM, SiLU",
		"clip_grad_norm":           updates,
		"EMA":                      updates,
		"aten::_to_copy":           "copy, cast",
		"aten::to":                 "copy, cast",
		"ToCopyBackward0":          "copy, cast",
		"aten::cat":                "concatenate, slice",
		"CatBackward0":             "concatenate, slice",
		"aten::mm":                 "matrix product",
		"AddmmBackward0":           "matrix product",
		"aten::_scaled_dot_product_flash_attention_for_cpu": "attention",
		"TBackward0":  "autograd",
		"aten::empty": "",
		"aten::view":  "",
	} {
		if got := kindOf(shortName(name)); got != want {
			t.Errorf("%s is of kind %q, want %q", name, got, want)
		}
	}
}

// TestTrace: every event has what its viewers ask for, at the right time.
func TestTrace(t *testing.T) {
	var text strings.Builder
	if err := encodeTrace(&text, []string{"loader", "train", "ema", "eval"}, &twoSteps); err != nil {
		t.Fatal(err)
	}
	var trace struct{ TraceEvents []map[string]any }
	if err := json.Unmarshal([]byte(text.String()), &trace); err != nil {
		t.Fatal(err)
	}
	tracks, spans := map[any]any{}, 0
	for _, e := range trace.TraceEvents {
		switch e["ph"] {
		case "M":
			tracks[e["tid"]] = e["args"].(map[string]any)["name"]
		case "X":
			spans++
			for _, key := range []string{"name", "cat", "ts", "dur", "pid", "tid"} {
				if e[key] == nil {
					t.Errorf("%v has no %s", e, key)
				}
			}
		default:
			t.Errorf("%v: a phase of its own", e)
		}
	}
	if len(tracks) != 5 || tracks[2.0] != "train" || tracks[5.0] != "torch thread" {
		t.Errorf("tracks %v", tracks)
	}
	if want := len(twoSteps.stages) + len(twoSteps.ops); spans != want {
		t.Errorf("%d spans, want %d", spans, want)
	}
	last := trace.TraceEvents[len(trace.TraceEvents)-1]
	if last["name"] != "ema" || last["tid"] != 5.0 || math.Abs(last["ts"].(float64)-92e3) > 1e-3 || math.Abs(last["dur"].(float64)-1e3) > 1e-3 {
		t.Errorf("the last span is %v", last)
	}
}
