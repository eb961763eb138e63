package picture

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/draw"
	"image/gif"
	"image/png"
	"math"
	"testing"
)

// film returns a path of noise that becomes waves in a few steps.
func film(steps int) Path {
	last := waves(32, 32, 1)
	p := Path{Title: "Bx", Diverging: true, Input: waves(32, 32, 0.5), Truth: last, Band: Band{8, 16, "N/4", "N/2", "lost"}}
	p.InputPower, p.TruthPower = power("", 1, -4).Y, power("", 1, -2).Y
	for i := range steps {
		t := float64(i) / float64(steps-1)
		x := Field{H: 32, W: 32}
		for j, v := range last.Data {
			x.Data = append(x.Data, float32(t)*v+float32((1-t)*math.Sin(float64(j*j))))
		}
		p.Steps = append(p.Steps, PathStep{T: t, X: x, Power: power("", t+0.01, -2).Y, Error: power("", 1.01-t, -2).Y, Note: "n"})
	}
	return p
}

// TestFilm: the frames of both formats, laid over each other, are the figures to within the
// palette, and shown for their times; each holds only what has changed.
func TestFilm(t *testing.T) {
	p := film(5)
	f := p.Film()
	var want []*image.RGBA
	for _, figure := range f.Figures {
		img, err := rasterized(figure, Light)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, img)
	}
	var b, a bytes.Buffer
	if err := f.Write(&b, ".gif", Light); err != nil {
		t.Fatal(err)
	}
	if err := f.Write(&a, ".png", Light); err != nil {
		t.Fatal(err)
	}
	g, err := gif.DecodeAll(&b)
	if err != nil {
		t.Fatal(err)
	}
	frames, delays := readAPNG(t, a.Bytes())
	if len(g.Image) != 5 || len(frames) != 5 || g.LoopCount != 0 {
		t.Fatalf("%d and %d frames, want 5 for ever", len(g.Image), len(frames))
	}
	overGIF, overPNG := image.NewRGBA(want[0].Bounds()), image.NewRGBA(want[0].Bounds())
	for i := range want {
		draw.Draw(overGIF, g.Image[i].Bounds(), g.Image[i], g.Image[i].Bounds().Min, draw.Over)
		draw.Draw(overPNG, frames[i].Bounds(), frames[i], frames[i].Bounds().Min, draw.Over)
		if !bytes.Equal(overGIF.Pix, overPNG.Pix) {
			t.Fatalf("frame %d: the formats differ", i)
		}
		far := 0
		for at := 0; at < len(want[i].Pix); at += 4 {
			for c := range 3 {
				if d := int(want[i].Pix[at+c]) - int(overGIF.Pix[at+c]); d > 24 || d < -24 {
					far++
				}
			}
		}
		if far > len(want[i].Pix)/4/500 {
			t.Errorf("frame %d: %d pixels are far from the figure's", i, far)
		}
		if hold := map[int]int{0: firstHold, 4: lastHold}[i] + map[bool]int{true: eachHold}[i > 0 && i < 4]; g.Delay[i] != hold || delays[i] != hold {
			t.Errorf("frame %d is shown for %d and %d, want %d", i, g.Delay[i], delays[i], hold)
		}
		if size := g.Image[i].Bounds().Size(); i > 0 && size.X*size.Y > want[0].Bounds().Dx()*want[0].Bounds().Dy()*4/5 {
			t.Errorf("frame %d has %v of %v pixels", i, size, want[0].Bounds().Size())
		}
	}
	if err := f.Write(&b, ".mp4", Light); err == nil {
		t.Error("a film as mp4")
	}
}

// TestShades: a film keeps all colours of its maps.
func TestShades(t *testing.T) {
	p := film(2)
	palette := commonest([]*image.RGBA{image.NewRGBA(image.Rect(0, 0, 9, 9))}, p.shades())
	if len(palette) < shadesInFilm*95/100 {
		t.Fatalf("%d colours", len(palette))
	}
	panel := p.panel(p.Steps[1])
	scale := panel.scales()[0]
	for i := range 1000 {
		v := float64(i)/500 - 1
		if got := palette.Convert(scale.color(v)); got != scale.color(v) {
			t.Fatalf("%g is %v, and in the film %v", v, scale.color(v), got)
		}
		if exact := redBlue.at((v - scale.lo) / (scale.hi - scale.lo)); distance(exact, scale.color(v)) > 3 {
			t.Fatalf("%g is %v in a step of colour, want %v", v, scale.color(v), exact)
		}
	}
}

// readAPNG returns the frames of an APNG at their places, and their delays in hundredths of
// a second. It checks the chunks' sums and sequence.
func readAPNG(t *testing.T, data []byte) (frames []image.Image, delays []int) {
	t.Helper()
	if _, err := png.Decode(bytes.NewReader(data)); err != nil {
		t.Fatalf("not a PNG to viewers of PNG: %v", err)
	}
	var head, palette, at []byte
	sequence, announced := uint32(0), uint32(0)
	chunk := func(name string, body []byte) []byte {
		out := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), name...)
		out = append(out, body...)
		return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
	}
	frame := func(body []byte) {
		own := append(append([]byte{}, at[4:12]...), head[8:]...) // width and height of the frame
		file := append([]byte(pngHead), chunk("IHDR", own)...)
		file = append(append(append(file, palette...), chunk("IDAT", body)...), chunk("IEND", nil)...)
		img, err := png.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		placed := img.(*image.Paletted)
		x, y := int(binary.BigEndian.Uint32(at[12:])), int(binary.BigEndian.Uint32(at[16:]))
		placed.Rect = placed.Rect.Add(image.Pt(x, y))
		frames = append(frames, placed)
		delays = append(delays, 100*int(binary.BigEndian.Uint16(at[20:]))/int(binary.BigEndian.Uint16(at[22:])))
	}
	next := func(body []byte) {
		if got := binary.BigEndian.Uint32(body); got != sequence {
			t.Fatalf("sequence %d, want %d", got, sequence)
		}
		sequence++
	}
	for rest := data[len(pngHead):]; len(rest) > 0; {
		n := binary.BigEndian.Uint32(rest)
		name, body := string(rest[4:8]), rest[8:8+n]
		if got := binary.BigEndian.Uint32(rest[8+n:]); got != crc32.ChecksumIEEE(rest[4:8+n]) {
			t.Fatalf("chunk %s: wrong sum", name)
		}
		switch name {
		case "IHDR":
			head = body
		case "PLTE", "tRNS":
			palette = append(palette, rest[:12+n]...)
		case "acTL":
			announced = binary.BigEndian.Uint32(body)
		case "fcTL":
			next(body)
			at = body
		case "IDAT":
			frame(body)
		case "fdAT":
			next(body)
			frame(body[4:])
		}
		rest = rest[12+n:]
	}
	if int(announced) != len(frames) {
		t.Errorf("%d frames are announced, and %d there", announced, len(frames))
	}
	return frames, delays
}
