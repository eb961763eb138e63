package field

// Move is a motion of the domain onto itself: reflections along the axes, then a shift
// around a periodic domain. Its zero value moves nothing.
//
//	cell (y, x)  -->  (y', x') = ((y or H-1-y) + ShiftY, (x or W-1-x) + ShiftX), modulo H and W
//
// Values are at the middles of cells. So a reflection takes cells to cells, corners to
// corners, and blocks of cells, which pooling averages, to blocks. A shift keeps the blocks
// only if it is a multiple of their side.
type Move struct {
	FlipY, FlipX   bool
	ShiftY, ShiftX int // 0 <= ShiftY < H, 0 <= ShiftX < W
}

// Plane fills dst with scale v + offset of the moved plane src (H,W). dst must not be src.
func (m Move) Plane(dst, src []float32, grid Grid, scale, offset float32) {
	h, w := grid.H, grid.W
	first, step := m.ShiftX, 1
	if m.FlipX {
		first, step = (w-1+m.ShiftX)%w, -1
	}
	for y := range h {
		to := y
		if m.FlipY {
			to = h - 1 - y
		}
		row, at := dst[(to+m.ShiftY)%h*w:][:w], first
		for _, v := range src[y*w:][:w] {
			row[at] = scale*v + offset
			switch at += step; at {
			case w:
				at = 0
			case -1:
				at = w - 1
			}
		}
	}
}
