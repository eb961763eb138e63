package frames

// Stats are the per-channel figures that normalize divides by.
type Stats struct {
	Mean []float64 `json:"mean"`
	Std  []float64 `json:"std"`
}
