package page

import (
	"bytes"
	"html/template"
	"image/png"
	"path"

	"fmsr.example/fmsr/internal/runview"
)

// Physics is what superres measured of the physics.
type Physics struct {
	*runview.Physics
	Run      string
	Pictures []Picture
}

// Picture is a picture with its name.
type Picture struct {
	Name string
	URL  template.URL
	Wide bool // too wide to be read on a phone's screen at once
}

// kinds are the types of pictures by the ends of their names.
var kinds = map[string]string{".png": "image/png", ".svg": "image/svg+xml"}

func physics(runs []*runview.Run) (all []Physics, err error) {
	for _, r := range runs {
		p, err := r.Physics()
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		shown := Physics{Physics: p, Run: r.Name}
		for _, picture := range p.Pictures {
			kind := kinds[path.Ext(picture.File)]
			if kind == "" {
				continue
			}
			data, err := r.File(picture.File)
			if err != nil {
				return nil, err
			}
			size, _ := png.DecodeConfig(bytes.NewReader(data)) // zero, of another format
			shown.Pictures = append(shown.Pictures, Picture{picture.Name, dataURL(kind, data), size.Width > 700})
		}
		all = append(all, shown)
	}
	return all, nil
}
