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
