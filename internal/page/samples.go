package page

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/runview"
)

// Samples is the tiles of a subject: what its sources make of each field.
type Samples struct {
	*Subject
	Frames []string // labels of the frames to choose from
	Steps  []int    // to choose from
	Fields []FieldTiles
}

// FieldTiles is a field's tiles: the input, the best baseline, the model and the target, and on
// a served page the other sources.
type FieldTiles struct {
	Name   string
	Scale  string // the values at the ends of the colours
	Tiles  []Tile
	Others []Tile
}

// Tile is a picture of a field.
type Tile struct {
	Label   string
	Alt     string
	Caption string
	Name    string // "tiles_ema/velx"
	URL     template.URL
	Changes bool // with the step
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
			tiles := FieldTiles{Name: f.Name, Scale: s.Record.Scales[i].String(f.Unit)}
			if err := v.addTiles(&tiles, s, i, url); err != nil {
				return nil, err
			}
			if len(tiles.Tiles) > 0 {
				sample.Fields = append(sample.Fields, tiles)
			}
		}
		if len(sample.Fields) > 0 {
			all = append(all, sample)
		}
	}
	return all, nil
}

func (v *View) addTiles(to *FieldTiles, s *Subject, field int, url Source) (err error) {
	model, baseline := s.Record.Best()
	add := func(list *[]Tile, label, suffix, caption string, changes bool) {
		t := Tile{Label: label, Caption: caption, Changes: changes, Name: "tiles" + suffix + "/" + to.Name}
		t.Alt = fmt.Sprintf("%s, %s, %s", to.Name, label, s.Record.Shown[0])
		if err != nil {
			return
		}
		if t.URL, err = url(s, t.Name, s.step, 0); t.URL != "" {
			*list = append(*list, t)
		}
	}
	for i := range s.Record.Sources {
		src := &s.Record.Sources[i]
		caption := s.caption(src, field)
		switch {
		case src.Key == evaluate.Bilinear:
			add(&to.Tiles, "input", src.Suffix, caption, false)
		case src == model:
			add(&to.Tiles, "generated", src.Suffix, caption, true)
		case src == baseline:
			add(&to.Tiles, src.Row, src.Suffix, caption, false)
		case v.Served():
			add(&to.Others, src.Row, src.Suffix, caption, src.Model)
		}
	}
	add(&to.Tiles, "target", "_truth", "", false)
	return err
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
