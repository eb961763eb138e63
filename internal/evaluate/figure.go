package evaluate

import (
	"encoding/json"
	"math"
)

// Figure is a number on its way to a file. JSON has no word for numbers that are
// not finite: they become null.
type Figure float64

// Finite reports whether f is neither infinite nor NaN.
func (f Figure) Finite() bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }

// MarshalJSON writes the shortest decimal that reads back as f, or null.
func (f Figure) MarshalJSON() ([]byte, error) {
	if !f.Finite() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// UnmarshalJSON reads null as NaN.
func (f *Figure) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*f = Figure(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(f))
}

// Series is figures in a row, such as P(k) for k = 0, 1, ...
type Series []float64

// MarshalJSON writes an array. A number that is not finite becomes null.
func (s Series) MarshalJSON() ([]byte, error) {
	figures := make([]Figure, len(s))
	for i, v := range s {
		figures[i] = Figure(v)
	}
	return json.Marshal(figures)
}

// UnmarshalJSON reads null as NaN.
func (s *Series) UnmarshalJSON(data []byte) error {
	var figures []Figure
	if err := json.Unmarshal(data, &figures); err != nil {
		return err
	}
	*s = make(Series, len(figures))
	for i, f := range figures {
		(*s)[i] = float64(f)
	}
	return nil
}

// plus returns s + o. Either may be empty, for zeros.
func (s Series) plus(o Series) Series {
	if len(s) == 0 {
		s = make(Series, len(o))
	}
	for i, v := range o {
		s[i] += v
	}
	return s
}
