// Package picture draws fields and curves as figures for papers, pages and logs: PNG, SVG or
// PDF, on a light or dark ground, without text below 11 px.
//
//	data --Panel, Plots, Beside, Below--> Figure --Write--> PNG, SVG, PDF
//	     --Path-------------------------> Film   --Write--> GIF, APNG
//
//	Panel                                       Plots
//
//	          Title                                -- truth  -- sample  -- linear filter
//	          column 1    column 2                   Title
//	row 1     [ map ]     [ map ]   ^ above     +----N/4-lost-N/2   P on the decades
//	          note        note      # hi        |\\    :#####:|     that matter
//	          [zoom ]     [zoom ]   #   unit    |  \\  :#####:|     truth: thick
//	row 2     [ map ]     [ map ]   # lo        +----------------
//	          0  x  1     0  x  1   v below     |----\\-:#####:|     P / P_truth
//	                                            +----------------   k
//
//	theme.go    colours of ground and text
//	sources.go  the colour of each source of fields, the same in every figure
//	output.go   what a Figure is, and its formats
//	panel.go arrange.go field.go colorscale.go colormap.go bar.go    maps
//	plots.go plot.go extent.go axes.go ticks.go legend.go            curves
//	film.go apng.go path.go                                          films
//
// A value has the same colour in all maps of a panel, unless columns have scales of their
// own. Zero of a signed field is white, and values that are not finite are grey. An arrowhead
// on the bar means that there are values beyond its end.
package picture
