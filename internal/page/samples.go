package page

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"

	"fmsr/internal/evaluate"
	"fmsr/internal/runview"
)

// Samples is the tiles of a subject: what its sources make of each field.
type Samples struct {
	*Subject
	Frames []string // labels of the frames to choose from
	Steps  []int    // to choose from
	Fields []FieldTiles
}

// FieldTiles is a field's tiles, in the order input, baselines, models, target.
type FieldTiles struct {
	Name  string
	Scale string // the values at the ends of the colours
	Tiles []Tile
}

// Tile is a picture of a field.
type Tile struct {
	Label   string
	Alt     string
	Caption string
	Name    string // "tiles_ema/velx"
	URL     template.URL
	Changes bool // with the step
	Main    bool // shown first; others on request
}

// Source is where tiles come from: data URLs in a report, addresses on a served page.
type Source func(s *Subject, name string, step, frame int) (template.URL, error)

// samples returns the tiles of every subject that has some. A report has those of the first
// frame that its sentence is about.
func (v *View) samples(url Source) (all []Samples, err error) {
	for _, s := range v.Subjects {
		if s.Record == nil || len(s.Record.Shown) == 0 || len(s.Record.Scales) == 0 {
			continue
		}
		sample := Samples{Subject: s, Frames: s.Record.Shown[:1]}
		if v.Served() {
			sample.Frames, sample.Steps = s.Record.Shown, s.Run.Steps
		}
		for i, f := range s.Record.Fields {
			tiles, err := v.tiles(s, i, url)
			if err != nil {
				return nil, err
			}
			if len(tiles) > 0 {
				sample.Fields = append(sample.Fields, FieldTiles{f.Name, s.Record.Scales[i].String(f.Unit), tiles})
			}
		}
		if len(sample.Fields) > 0 {
			all = append(all, sample)
		}
	}
	return all, nil
}

func (v *View) tiles(s *Subject, field int, url Source) (tiles []Tile, err error) {
	model, baseline := s.Record.Best()
	add := func(label, suffix, caption string, changes, main bool) {
		t := Tile{Label: label, Caption: caption, Changes: changes, Main: main, Name: "tiles" + suffix + "/" + s.Record.Fields[field].Name}
		t.Alt = fmt.Sprintf("%s, %s, %s", s.Record.Fields[field].Name, label, s.Record.Shown[0])
		if err != nil || !main && !v.Served() {
			return
		}
		if t.URL, err = url(s, t.Name, s.step, 0); t.URL != "" {
			tiles = append(tiles, t)
		}
	}
	for i := range s.Record.Sources {
		src := &s.Record.Sources[i]
		label := src.Row
		switch {
		case src.Key == evaluate.Bilinear:
			label = "input"
		case src == model:
			label = "generated"
		}
		add(label, src.Suffix, s.caption(src, field), src.Model, src.Key == evaluate.Bilinear || src == model || src == baseline)
	}
	add("target", "_truth", "", false, true)
	return tiles, err
}

// caption says how near a source comes to the target.
func (s *Subject) caption(src *evaluate.RecordSource, field int) (text string) {
	r := row{s, src}
	name := s.Record.Fields[field].Name
	if v := r.value("of_bilinear", name); evaluate.Figure(v).Finite() && src.Key != evaluate.Bilinear {
		text = fmt.Sprintf("error %.2f of the input's", v)
	}
	if v := r.value("band", name); evaluate.Figure(v).Finite() {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("lost band %.0f%%", 100*v)
	}
	return text
}

// Inline returns tiles as data URLs; none where the run wrote none.
func Inline(s *Subject, name string, step, frame int) (template.URL, error) {
	data, err := TileOf(s.Run, name, step, frame)
	if data == nil || err != nil {
		return "", err
	}
	return dataURL("image/png", data), nil
}

func dataURL(kind string, data []byte) template.URL {
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data))
}

// TileOf returns one frame of the newest tile of a name that is not of a later step; nil: the
// run has none.
func TileOf(r *runview.Run, name string, step, frame int) ([]byte, error) {
	steps, err := r.Pictures(name)
	at := -1
	for _, s := range steps {
		if s <= step {
			at = s
		}
	}
	if err != nil || at < 0 {
		return nil, err
	}
	record, err := r.Record(step)
	if err != nil {
		return nil, err
	}
	data, err := r.Picture(name, at)
	if err != nil {
		return nil, err
	}
	out, err := crop(data, len(record.Shown), frame)
	if err != nil {
		return nil, fmt.Errorf("%s: picture %s of step %d: %w", r.Dir, name, at, err)
	}
	return out, nil
}

// mostPixels bounds a picture that is decoded.
const mostPixels = 1 << 24

// crop returns the i-th of n pictures side by side.
func crop(data []byte, n, i int) ([]byte, error) {
	size, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	if size.Width > mostPixels || size.Height > mostPixels || size.Width*size.Height > mostPixels || n < 1 || i < 0 || i >= n || size.Width%n != 0 {
		return nil, fmt.Errorf("%d x %d pixels: want %d frames side by side", size.Width, size.Height, n)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	part, ok := img.(interface {
		SubImage(image.Rectangle) image.Image
	})
	if !ok {
		return nil, fmt.Errorf("%T", img)
	}
	w := size.Width / n
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&out, part.SubImage(image.Rect(i*w, 0, (i+1)*w, size.Height)))
	return out.Bytes(), err
}
