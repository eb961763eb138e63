// Package picture draws fields as PNG: panels of maps on one colour scale, and
// curves, log-log unless they are not spectra. Pictures have a white ground and no text below 11 px.
//
//	Panel                                          SpectraPlot, Grid
//
//	          Title                                        Title
//	          column 1  column 2        x10^n         +----:-------+   P on 10^n
//	row 1     [ map ]   [ map ]     ^ above           |----.  :mark|   decades
//	row 2     [ map ]   [ map ]     # hi              |    \\.:    |   truth: thick, black
//	row 3     [ map ]   [ map ]     # 0    Unit       | legend \\  |   others: thin, in colour
//	                                # lo              +----:-----\-+
//	                                v below                 k
//
// A value has the same colour in all maps of a panel. Zero of a signed field is
// white, and values that are not finite are grey. An arrowhead on the bar means that
// there are values beyond its end. A label has the same colour in all plots of a grid.
package picture
