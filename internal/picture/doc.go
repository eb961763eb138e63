// Package picture draws what a physicist wants to see of fields: panels of maps
// on one colour scale, and log-log power spectra. Everything is PNG on white, one
// pixel a unit of length, no text below 11 px.
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
// Colours mean values, never looks: a value has one colour wherever in a panel it
// stands, zero of a signed field is white, what is not a finite number is grey,
// and an arrowhead on the bar says that values lie beyond it. A label has one
// colour in all the plots of a grid.
package picture
