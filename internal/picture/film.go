package picture

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"io"
	"slices"
)

// Film is figures of one size that are shown one after the other.
type Film struct {
	Figures []Figure
	Hold    int // hundredths of a second for each figure
	First   int // for the first
	Last    int // for the last

	fixed []color.RGBA // colours that the film keeps, however rare they are
}

// FilmFormats lists the extensions of the files that Film.Write knows.
var FilmFormats = []string{".gif", ".png", ".apng"}

// Write writes the film, which repeats for ever, as GIF or as APNG. Both have the same 255
// colours: those of the maps, and those that the figures have most.
func (f Film) Write(w io.Writer, extension string, t Theme) error {
	var frames []*image.RGBA
	for _, figure := range f.Figures {
		img, err := rasterized(figure, t)
		if err != nil {
			return err
		}
		if len(frames) > 0 && img.Bounds() != frames[0].Bounds() {
			return fmt.Errorf("film: a figure of %v, and the first is of %v pixels", img.Bounds().Size(), frames[0].Bounds().Size())
		}
		frames = append(frames, img)
	}
	if len(frames) == 0 {
		return fmt.Errorf("film: no figures")
	}
	shots := changes(frames, f.fixed)
	delays := make([]int, len(shots))
	for i := range delays {
		delays[i] = f.Hold
	}
	delays[0], delays[len(delays)-1] = f.First, f.Last
	switch extension {
	case ".gif":
		disposal := slices.Repeat([]byte{gif.DisposalNone}, len(shots))
		size := frames[0].Bounds().Size()
		return gif.EncodeAll(w, &gif.GIF{Image: shots, Delay: delays, Disposal: disposal, Config: image.Config{
			ColorModel: shots[0].Palette, Width: size.X, Height: size.Y,
		}})
	case ".png", ".apng":
		return writeAPNG(w, shots, delays)
	}
	return fmt.Errorf("film: no format %q: want .gif, .png or .apng", extension)
}

// changes returns each frame where it differs from the one before: the rectangle of these
// pixels, in which the others are transparent.
func changes(frames []*image.RGBA, fixed []color.RGBA) []*image.Paletted {
	palette := commonest(frames, fixed)
	nearest := map[color.RGBA]uint8{}
	index := func(c color.RGBA) uint8 {
		at, known := nearest[c]
		if !known {
			at = uint8(1 + palette[1:].Index(c))
			nearest[c] = at
		}
		return at
	}
	out := make([]*image.Paletted, len(frames))
	var before *image.Paletted
	for i, frame := range frames {
		whole := image.NewPaletted(frame.Bounds(), palette)
		changed := image.Rectangle{}
		for at := range whole.Pix {
			x, y := at%whole.Stride, at/whole.Stride
			whole.Pix[at] = index(frame.RGBAAt(x, y))
			if before != nil && whole.Pix[at] != before.Pix[at] {
				changed = changed.Union(image.Rect(x, y, x+1, y+1))
			}
		}
		out[i] = whole
		if before != nil {
			out[i] = difference(whole, before, changed)
		}
		before = whole
	}
	return out
}

// difference returns the part r of a frame, transparent where the frame before is the same.
func difference(whole, before *image.Paletted, r image.Rectangle) *image.Paletted {
	if r.Empty() {
		r = image.Rect(0, 0, 1, 1)
	}
	out := image.NewPaletted(r, whole.Palette)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if now := whole.ColorIndexAt(x, y); now != before.ColorIndexAt(x, y) {
				out.SetColorIndex(x, y, now)
			}
		}
	}
	return out
}

// commonest returns a transparent colour, the fixed ones, and of 255 in all those that most
// pixels have.
func commonest(frames []*image.RGBA, fixed []color.RGBA) color.Palette {
	count := map[color.RGBA]int{}
	for _, frame := range frames {
		b := frame.Bounds()
		for y := b.Min.Y; y < b.Max.Y; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				count[frame.RGBAAt(x, y)]++
			}
		}
	}
	var all []color.RGBA
	for c := range count {
		all = append(all, c)
	}
	value := func(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }
	slices.SortFunc(all, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(value(a), value(b)))
	})
	palette := color.Palette{color.RGBA{}}
	for _, c := range append(slices.Clone(fixed), all...) {
		if len(palette) < 256 && !slices.Contains(palette[1:], color.Color(c)) {
			palette = append(palette, c)
		}
	}
	return palette
}
