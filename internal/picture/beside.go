package picture

import (
	"image"

	"gonum.org/v1/plot/text"
)

// Beside is figures in a row, under one title.
type Beside struct {
	Title   string
	Figures []Figure
}

func (b Beside) layout() (image.Point, func(*canvas), error) {
	top, size := 0, image.Point{}
	if b.Title != "" {
		top = margin + titleSize
	}
	var draws []func(*canvas)
	var places []image.Rectangle
	for _, f := range b.Figures {
		own, draw, err := f.layout()
		if err != nil {
			return image.Point{}, nil, err
		}
		at := image.Pt(size.X, top)
		draws, places = append(draws, draw), append(places, image.Rectangle{Min: at, Max: at.Add(own)})
		size = image.Pt(at.X+own.X, max(size.Y, top+own.Y))
	}
	size.X = max(size.X, textWidth(b.Title, titleSize)+2*margin)
	return size, func(c *canvas) {
		c.text(b.Title, size.X/2, margin, textStyle(titleSize, text.XCenter, text.YTop))
		for i, draw := range draws {
			draw(c.part(places[i]))
		}
	}, nil
}

// Below is figures in a column, each in the middle of it.
type Below struct{ Figures []Figure }

func (b Below) layout() (image.Point, func(*canvas), error) {
	var size image.Point
	var sizes []image.Point
	var draws []func(*canvas)
	for _, f := range b.Figures {
		own, draw, err := f.layout()
		if err != nil {
			return image.Point{}, nil, err
		}
		sizes, draws = append(sizes, own), append(draws, draw)
		size = image.Pt(max(size.X, own.X), size.Y+own.Y)
	}
	return size, func(c *canvas) {
		top := 0
		for i, draw := range draws {
			at := image.Pt((size.X-sizes[i].X)/2, top)
			draw(c.part(image.Rectangle{Min: at, Max: at.Add(sizes[i])}))
			top += sizes[i].Y
		}
	}, nil
}
